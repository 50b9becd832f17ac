"""`imghost up`: in the foreground with logs, or in the background until `imghost down`."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from rich.console import Console

from imghost_cli import manifests, screen
from imghost_cli.errors import CliError
from imghost_cli.follow import Follower
from imghost_cli.local import installation, report
from imghost_cli.local.objects import Objects
from imghost_cli.local.services import PUBLIC
from imghost_cli.local.state import AlreadyRunning, State
from imghost_operator import crd
from imghost_operator.platform import Object

_LOOK = 0.2


def foreground(state: State, manifest: Path, ports: dict[str, int], within: float) -> None:
    """Run here; show progress, then where everything is, then the logs, until Ctrl-C or SIGTERM."""
    console, ended = screen.new_console(), threading.Event()
    follower = Follower(state.logs)
    follower.skip()
    shown = threading.Thread(target=_present, args=(state, console, follower, ended, within), daemon=True)
    check(state, manifest)
    shown.start()
    try:
        serve(state, manifest, ports)
    finally:
        ended.set()
        shown.join()
    console.print("Stopped. Your data stays; `imghost up` goes on with it, `imghost reset` removes it.")


def serve(state: State, manifest: Path, ports: dict[str, int]) -> None:
    """Run here, silently, until SIGINT or SIGTERM; a second one ends everything at once."""

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


def detached(state: State, manifest: Path, ports: dict[str, int], within: float) -> None:
    """Run in the background; return when ready, with the same words as in the foreground."""
    check(state, manifest)
    if (holder := state.holder()) is not None:
        raise AlreadyRunning(f"imghost already runs in {state.root} (process {holder}). See `imghost status`.")
    state.create()
    log = state.root / "up.log"
    wanted = ",".join(str(ports[name]) for name in PUBLIC) if ports else ""
    argv = [sys.executable, "-m", "imghost_cli", "up", str(manifest.absolute()), "--state", str(state.root), "--serve"]
    with log.open("wb") as output:
        child = subprocess.Popen(
            [*argv, *(["--ports", wanted] if wanted else [])],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    console = screen.new_console()
    try:
        found = screen.wait_until_ready(
            console, lambda: report.read(state, child.pid), lambda: child.poll() is None, within
        )
    except CliError:
        if child.poll() is None:
            raise
        said = log.read_text(errors="replace").strip().splitlines()
        raise CliError(said[-1].removeprefix("imghost: ") if said else "imghost ended while starting.") from None
    screen.summary(console, found)
    console.print("  It runs in the background: `imghost status`, `imghost logs -f`, `imghost down`.\n")


def check(state: State, manifest: Path) -> list[Object]:
    """The manifest, judged against what is stored here, before anything starts. Raises `Refused`."""
    existing = {key.name: stored for key, stored in Objects(state) if key.kind == crd.KIND}
    return manifests.read(manifest, existing)


def _present(state: State, console: Console, follower: Follower, ended: threading.Event, within: float) -> None:
    try:
        found = screen.wait_until_ready(
            console, lambda: report.read(state, os.getpid()), lambda: not ended.is_set(), within
        )
        screen.summary(console, found)
    except CliError as error:
        if not ended.is_set():
            console.print(str(error), markup=False)
    while not ended.wait(_LOOK):
        for line in follower.new():
            screen.show(console, line)
