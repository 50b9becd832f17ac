"""`imghost up` in the foreground: progress, URLs and key, then the logs, until Ctrl-C."""

import asyncio
import os
import signal
import threading
from pathlib import Path

from rich.console import Console

from imghost_cli import screen
from imghost_cli.command import as_typed
from imghost_cli.follow import Follower
from imghost_local import installation, report
from imghost_local.errors import UserError
from imghost_local.state import State

_POLL_SECONDS = 0.2


def run_attached(state: State, manifest: Path, ports: dict[str, int], within: float) -> None:
    """Run here and show it, until Ctrl-C or SIGTERM."""
    installation.check(state, manifest)
    console, ended = screen.new_console(), threading.Event()
    shown = threading.Thread(target=_present, args=(state, console, ended, within), daemon=True)
    shown.start()
    try:
        serve(state, manifest, ports)
    finally:
        ended.set()
        shown.join()
    console.print(as_typed("Stopped. Your data stays; `imghost up` resumes, `imghost reset` deletes it."))


def serve(state: State, manifest: Path, ports: dict[str, int]) -> None:
    """Run here, silently, until SIGINT or SIGTERM; a second one ends everything immediately."""

    async def until_stopped() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def ask() -> None:
            if stop.is_set():
                os._exit(130)  # the kernel ends the children with us
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ask)
        await installation.run(state, manifest, ports, stop)

    asyncio.run(until_stopped())


def _present(state: State, console: Console, ended: threading.Event, within: float) -> None:
    follower = Follower(state.logs)
    follower.skip()
    try:
        found = screen.wait_until_ready(
            console, lambda: report.read(state.documents, os.getpid()), lambda: not ended.is_set(), within
        )
        screen.summary(console, found)
    except UserError as error:
        if not ended.is_set():
            console.print(str(error), markup=False)
    while not ended.wait(_POLL_SECONDS):
        for line in follower.new():
            screen.show(console, line)
