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
_ALLOCATOR = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in {
        "hugetlb": 1,  # madvise: a new process faults in pages of 2 MiB in place of 4 KiB
        "mmap_threshold": 2**30,
        "trim_threshold": 2**30,  # what is freed is used again; the process ends soon
        "top_pad": 2**24,
    }.items()
)
_ENVIRONMENT = ("LANG", "LC_ALL", "MALLOC_ARENA_MAX", "VIPS_BLOCK_UNTRUSTED", "VIPS_CONCURRENCY")


class NotStarted(RuntimeError):
    """The fork server did not start; the message is one line for the administrator."""


class ServerEnded(ConnectionError):
    """The fork server ended, or does not answer."""


class NotForked(RuntimeError):
    """The fork server has no memory or process id for another child now."""


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
        try:
            process, control = _spawn(command)
        except OSError as error:
            raise NotStarted(f"the fork server cannot be started: {error}") from error
        try:
            return cls(process, control, _read_report(control))
        except BaseException:
            _kill(process, control)
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.wait()

    async def fork(self) -> Child:
        """A new child. Raises `ServerEnded`, and `NotForked`."""
        return await self._ask(self._fork)

    async def end(self, child: Child) -> Ended:
        """Kill `child` if it still runs; returns when it has ended. Raises `ServerEnded`."""
        return await self._ask(lambda: self._end(child.pid))

    def close(self) -> None:
        """End the fork server and with it all children."""
        _kill(self._process, self._control)
        self._asking.shutdown(wait=False)

    async def _ask(self, question: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._asking, question)
        except NotForked:
            raise
        except (OSError, RuntimeError) as error:  # RuntimeError: closed meanwhile
            raise ServerEnded("the fork server has ended") from error

    def _fork(self) -> Child:
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs:
            try:
                (pid,) = self._answer("fork", 1, theirs.fileno())
            except BaseException:
                ours.close()
                raise
        if not pid:
            ours.close()
            raise NotForked("the fork server has no process for a child")
        return Child(pid, ours)

    def _end(self, pid: int) -> Ended:
        status, peak = self._answer(f"end {pid}", 2)
        return Ended(status, peak)

    def _answer(self, question: str, count: int, *descriptors: int) -> list[int]:
        """The `count` numbers of the answer. Without one the server is killed: a late one would answer the next."""
        try:
            socket.send_fds(self._control, [question.encode()], descriptors)
            numbers = [int(one) for one in self._control.recv(MAX_MESSAGE).split()]
        except (OSError, ValueError) as error:
            self._process.kill()
            raise ServerEnded("the fork server does not answer") from error
        if len(numbers) != count:
            self._process.kill()
            raise ServerEnded("the fork server has ended, or its answer makes no sense")
        return numbers


def _spawn(command: Sequence[str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment["GLIBC_TUNABLES"] = _ALLOCATOR
    with theirs:
        try:
            made = subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=environment, cwd="/")
        except BaseException:
            ours.close()
            raise
    return made, ours


def _read_report(control: socket.socket) -> dict[str, Any]:
    """What the fork server says when it has checked itself. Raises `NotStarted`."""
    control.settimeout(_START_SECONDS)
    try:
        report = json.loads(control.recv(MAX_MESSAGE) or b'{"error": "the fork server ended at its start"}')
    except (OSError, ValueError) as error:
        raise NotStarted(f"the fork server did not start: {error}") from error
    if not isinstance(report, dict):
        raise NotStarted("the fork server does not say that it started")
    if "error" in report:
        raise NotStarted(report["error"])
    control.settimeout(_ANSWER_SECONDS)
    return report


def _kill(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    with suppress(OSError):
        process.send_signal(signal.SIGKILL)
    process.wait()
    control.close()
