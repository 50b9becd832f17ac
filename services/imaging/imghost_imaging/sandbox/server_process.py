"""The fork server as the service sees it: starts it, asks it for children, and notices that it has ended."""

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple, Self, TypeVar

from imghost_imaging.sandbox.fork_server import MAX_MESSAGE

_T = TypeVar("_T")
_START_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_ENVIRONMENT = ("LANG", "LC_ALL", "MALLOC_ARENA_MAX", "VIPS_BLOCK_UNTRUSTED", "VIPS_CONCURRENCY")


class NotStarted(RuntimeError):
    """The fork server did not start; the message is one line for the administrator."""


class ServerEnded(ConnectionError):
    """The fork server ended, or does not answer."""


class Child(NamedTuple):
    """A child that waits for work on `channel`."""

    pid: int
    channel: socket.socket


class Ended(NamedTuple):
    """How a child ended: its wait status, and the most memory that it had, in bytes."""

    status: int
    peak: int


class ServerProcess:
    """A running fork server, with its `report`: the `layers` of the sandbox, and what its check returned."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, report: dict[str, Any]) -> None:
        self._process, self._control, self.report = process, control, report
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="fork-server")  # in order, also if cancelled

    @classmethod
    def start(cls, command: Sequence[str]) -> Self:
        """Start the program `command` with a clean environment and wait until it has checked itself.

        Raises `NotStarted`.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=environment, cwd="/")
        theirs.close()
        try:
            ours.settimeout(_START_SECONDS)
            report = json.loads(ours.recv(MAX_MESSAGE) or b'{"error": "the fork server ended at its start"}')
        except OSError as error:
            report = {"error": f"the fork server did not start: {error}"}
        if "error" in report:
            _kill(process, ours)
            raise NotStarted(report["error"])
        ours.settimeout(_ANSWER_SECONDS)
        return cls(process, ours, report)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.wait()

    async def fork(self) -> Child:
        """A new child. Raises `ServerEnded`."""
        return await self._ask(self._fork)

    async def end(self, child: Child) -> Ended:
        """Kill `child` if it still runs; returns when it has ended. Raises `ServerEnded`."""
        return await self._ask(lambda: Ended(*map(int, self._answer(f"end {child.pid}").split())))

    def close(self) -> None:
        """End the fork server and with it all children."""
        _kill(self._process, self._control)
        self._asking.shutdown(wait=False)

    async def _ask(self, question: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._asking, question)
        except (OSError, RuntimeError) as error:  # RuntimeError: closed meanwhile
            raise ServerEnded("the fork server has ended") from error

    def _fork(self) -> Child:
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs:
            try:
                return Child(int(self._answer("fork", theirs.fileno())), ours)
            except BaseException:
                ours.close()
                raise

    def _answer(self, question: str, *descriptors: int) -> bytes:
        socket.send_fds(self._control, [question.encode()], descriptors)
        if answer := self._control.recv(MAX_MESSAGE):
            return answer
        raise ServerEnded("the fork server has ended")


def _kill(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    with suppress(OSError):
        process.send_signal(signal.SIGKILL)
    process.wait()
    control.close()
