"""A sandbox for work on untrusted bytes: each piece of work has a child of its own, forked before it is needed."""

import asyncio
import math
import os
import signal
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from imghost_core import logs
from imghost_imaging.sandbox.exchange import exchange
from imghost_imaging.sandbox.server_process import Child, NotForked, NotStarted, ServerEnded, ServerProcess
from imghost_imaging.sandbox.wire import InvalidMessage

_RESTART_SECONDS = 1.0
# SIGTRAP: GLib without memory. SIGKILL is not of this service: the kernel without memory, or an administrator.
_CAUSES: dict[int, str] = {signal.SIGKILL: "killed", signal.SIGTRAP: "memory", signal.SIGXCPU: "cpu"}
_log = logs.get("imghost.sandbox")


class Job(NamedTuple):
    """Work by its name, its arguments, memory in bytes, seconds until it is stopped, most bytes of its answer."""

    work: str
    arguments: dict[str, Any]
    memory: int
    seconds: float
    answer: int


class Answer(NamedTuple):
    """What a child says: it had untrusted bytes, so nothing in it may be believed. `peak` is its memory in bytes."""

    head: dict[str, Any]
    bodies: Sequence[bytes]
    peak: int = 0


class ChildKilled(Exception):
    """The child ended without an answer; `cause` is `memory`, `cpu`, `time`, `killed`, `crash` or `protocol`."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"the child was stopped: {cause}")
        self.cause = cause


class Sandbox:
    """Runs jobs in children of the fork server `command`; `spare` of them wait for work. Starts in its constructor."""

    def __init__(self, command: Sequence[str], spare: int, on_restart: Callable[[], None] = lambda: None) -> None:
        """Start the fork server. Raises `NotStarted`."""
        self._command, self._spare, self._on_restart = command, spare, on_restart
        self._server = ServerProcess.start(command)
        self._waiting: deque[Child] = deque()
        self._filling: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._supervising: asyncio.Task[None] | None = None
        _log.info("sandbox ready", fork_server=self.server_pid, **self._server.report)

    @property
    def layers(self) -> Sequence[str]:
        """What the children are restricted by."""
        return list(self._server.report["layers"])

    @property
    def server_pid(self) -> int:
        """The process id of the fork server."""
        return self._server.pid

    def check(self) -> None:
        """Raise `ServerEnded` when there is no fork server, or it is not started again when it ends."""
        supervised = self._supervising is not None and not self._supervising.done()
        if not (supervised and self._server.runs):
            raise ServerEnded("the fork server has ended")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep children ready, and start the fork server again when it ends; at the end of the block, end all."""
        self._supervising = supervising = asyncio.create_task(self._supervise())
        self._fill()
        try:
            yield
        finally:
            supervising.cancel()
            await self._drop()
            await asyncio.wait([supervising])

    async def run(self, job: Job, body: bytes) -> Answer:
        """Do `job` on `body` in a child, which has ended when this returns or raises, also when it is cancelled.

        Raises `ChildKilled`, `NotForked`, and `ServerEnded` until the fork server has started again.
        """
        server = self._server
        child = await self._take_child(server)
        self._fill()
        try:
            answer = await _exchange(child, job, body)
        finally:
            child.channel.close()
            ended = await asyncio.shield(server.end(child))
        if answer is None:
            raise ChildKilled(_cause(ended.status))
        return answer._replace(peak=ended.peak)

    async def _take_child(self, server: ServerProcess) -> Child:
        """A child that waits, or a new one. One that the kernel ended while it waited did not fail its job."""
        while self._waiting and server is self._server:
            child = self._waiting.popleft()
            if _waits(child):
                return child
            child.channel.close()
            await server.end(child)
        return await self._fork(server)

    async def _fork(self, server: ServerProcess) -> Child:
        """A new child. If the caller is cancelled before it is there, it is ended as soon as it is."""
        forking = asyncio.ensure_future(server.fork())
        try:
            return await asyncio.shield(forking)
        except asyncio.CancelledError:
            ending = asyncio.create_task(_end_unused(server, forking))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            raise

    def _fill(self) -> None:
        if self._filling is None or self._filling.done():
            self._filling = asyncio.create_task(self._fork_spares())

    async def _fork_spares(self) -> None:
        server = self._server
        with suppress(ServerEnded, NotForked):
            while len(self._waiting) < self._spare and server is self._server:
                self._waiting.append(await server.fork())

    async def _supervise(self) -> None:
        while True:
            await asyncio.to_thread(self._server.wait)
            _log.error("the fork server has ended and is started again")
            self._on_restart()
            await self._drop()
            self._server = await self._start_again()
            self._fill()

    async def _start_again(self) -> ServerProcess:
        while True:
            try:
                return await asyncio.to_thread(ServerProcess.start, self._command)
            except NotStarted as error:
                _log.error("the fork server does not start", reason=str(error))
                await asyncio.sleep(_RESTART_SECONDS)

    async def _drop(self) -> None:
        """End the fork server, and so all of its children."""
        self._server.close()
        if self._filling:
            await asyncio.wait([self._filling])
        for child in self._waiting:
            child.channel.close()
        self._waiting.clear()


async def _end_unused(server: ServerProcess, forking: asyncio.Future[Child]) -> None:
    with suppress(ServerEnded, NotForked):
        child = await forking
        child.channel.close()
        await server.end(child)


async def _exchange(child: Child, job: Job, body: bytes) -> Answer | None:
    """The answer of `child`, None when it ended without one. Raises `ChildKilled` when it is late or nonsense."""
    head = {
        "work": job.work,
        "arguments": job.arguments,
        "memory": job.memory,
        "cpu_seconds": math.ceil(job.seconds) + 1,
    }
    try:
        async with asyncio.timeout(job.seconds):
            return Answer(*await exchange(child.channel, head, body, most=job.answer))
    except TimeoutError:
        raise ChildKilled("time") from None
    except InvalidMessage as error:
        raise ChildKilled("protocol") from error
    except ConnectionError:
        return None


def _waits(child: Child) -> bool:
    """Whether `child` has not ended: its channel is open, and nothing was said yet."""
    try:
        child.channel.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _cause(status: int) -> str:
    return _CAUSES.get(os.WTERMSIG(status), "crash") if os.WIFSIGNALED(status) else "crash"
