"""Which tenant to reconcile next: each at most once in the queue and once in a worker, the most urgent first."""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any, Protocol

from imghost_core import logs
from imghost_core.errors import ImghostError

_log = logs.get("imghost.operator.queue")
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 300.0


class Priority(IntEnum):
    """Why a tenant is reconciled: a user changed it, an object drifted, or a pass is due."""

    USER = 0
    DRIFT = 1
    RESYNC = 2


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Cancel the call."""

    def when(self) -> float:
        """When it is due, on the clock that made it."""


class Clock(Protocol):
    """Time and timers, as an event loop has them."""

    def time(self) -> float:
        """Seconds; only differences mean anything."""

    def call_later(self, delay: float, callback: Callable[[str, Priority], None], *args: Any) -> Timer:
        """Make a call after some seconds."""


def _full_jitter(longest: float) -> float:
    return random.uniform(0, longest)  # noqa: S311 - spreads load


class WorkQueue:
    """Tenants by name. `work` gets a name and returns after how many seconds to reconcile again, None for never.

    `clock` is the running event loop unless given; `jitter` shortens the delays after failures.
    """

    def __init__(
        self,
        work: Callable[[str], Awaitable[float | None]],
        *,
        clock: Clock | None = None,
        jitter: Callable[[float], float] = _full_jitter,
    ) -> None:
        self._work, self._given_clock, self._jitter = work, clock, jitter
        self._heap: list[tuple[Priority, int, str]] = []
        self._waiting: dict[str, tuple[Priority, float]] = {}
        self._running: dict[str, Priority | None] = {}
        self._timers: dict[str, Timer] = {}
        self._failures: dict[str, int] = {}
        self._order = itertools.count()
        self._pushed = asyncio.Semaphore(0)

    def add(self, name: str, priority: Priority, *, after: float = 0.0) -> None:
        """Reconcile a tenant now, or after some seconds; of two requests the sooner and the more urgent counts."""
        if after > 0:
            self._add_later(name, priority, after)
            return
        if priority is Priority.USER:
            self._failures.pop(name, None)
        if timer := self._timers.pop(name, None):
            timer.cancel()
        if name in self._running:
            pending = self._running[name]
            self._running[name] = priority if pending is None else min(pending, priority)
        elif name not in self._waiting or priority < self._waiting[name][0]:
            since = self._waiting[name][1] if name in self._waiting else self._clock.time()
            self._waiting[name] = (priority, since)
            heapq.heappush(self._heap, (priority, next(self._order), name))
            self._pushed.release()

    def forget(self, name: str) -> None:
        """Discard the work and the failures of a deleted tenant."""
        self._waiting.pop(name, None)
        self._failures.pop(name, None)
        if timer := self._timers.pop(name, None):
            timer.cancel()

    @property
    def depth(self) -> int:
        """How many tenants wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many tenants are being reconciled."""
        return len(self._running)

    @property
    def oldest(self) -> float:
        """How many seconds the one that waits longest has waited; 0 when none does."""
        if not self._waiting:
            return 0.0
        return self._clock.time() - min(since for _, since in self._waiting.values())

    @property
    def _clock(self) -> Clock:
        return self._given_clock or asyncio.get_running_loop()

    async def run(self, workers: int) -> None:
        """Run N workers until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._worker(), name=f"worker {number}")

    async def _worker(self) -> None:
        while True:
            name = await self._next()
            self._running[name] = None
            try:
                after = await self._work(name)
                self._failures.pop(name, None)
            except ImghostError as error:
                after = self._delay(name)
                _log.warning("pass failed", tenant=name, code=error.code, detail=error.detail, retry_in=round(after, 1))
            except Exception:  # noqa: BLE001 - one tenant must not stop the others; it is logged and tried again
                after = self._delay(name)
                _log.exception("pass broke", tenant=name, retry_in=round(after, 1))
            again = self._running.pop(name)
            if again is not None:
                self.add(name, again)
            elif after is not None:
                self.add(name, Priority.RESYNC, after=max(after, 0.001))

    async def _next(self) -> str:
        while True:
            await self._pushed.acquire()
            priority, _, name = heapq.heappop(self._heap)
            if name in self._waiting and self._waiting[name][0] == priority:  # else it was forgotten, or went ahead
                del self._waiting[name]
                return name

    def _add_later(self, name: str, priority: Priority, after: float) -> None:
        if timer := self._timers.get(name):
            if timer.when() <= self._clock.time() + after:
                return
            timer.cancel()
        self._timers[name] = self._clock.call_later(after, self.add, name, priority)

    def _delay(self, name: str) -> float:
        """Exponential, with full jitter: up to 1, 2, 4 … 300 s."""
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        most = min(FIRST_DELAY_SECONDS * 2 ** min(failures - 1, 16), LONGEST_DELAY_SECONDS)
        return self._jitter(most)
