"""The work queue: which tenant comes next, and when again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from imghost_operator.errors import PlatformDown
from imghost_operator.workqueue import Priority, WorkQueue
from support.eventually import eventually


class Worker:
    """Notes what it is given; holds each until `go` is set."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.running: list[str] = []
        self.most = 0
        self.go = asyncio.Event()
        self.after: float | None = None
        self.fails = 0

    async def __call__(self, name: str) -> float | None:
        assert name not in self.running, "one tenant, one pass"
        self.running.append(name)
        self.most = max(self.most, len(self.running))
        try:
            await self.go.wait()
            if self.fails:
                self.fails -= 1
                raise PlatformDown("No answer.")
        finally:
            self.running.remove(name)
            self.done.append(name)
        return self.after


@dataclass(eq=False)
class ManualTimer:
    """A call that is due later, unless it is cancelled."""

    due: float
    call: Callable[[], None]
    clock: "ManualClock"

    def when(self) -> float:
        return self.due

    def cancel(self) -> None:
        self.clock.timers.remove(self)


class ManualClock:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[ManualTimer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., None], *args: Any) -> ManualTimer:
        self.timers.append(ManualTimer(self.now + delay, lambda: callback(*args), self))
        return self.timers[-1]

    @property
    def delays(self) -> list[float]:
        """In how many seconds each timer is due."""
        return sorted(timer.due - self.now for timer in self.timers)

    def advance(self, seconds: float) -> None:
        """Let time pass; what is due then is called."""
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.due <= self.now]:
            if timer in self.timers:
                timer.call()
                if timer in self.timers:
                    self.timers.remove(timer)


@asynccontextmanager
async def at_work(
    work: Callable[[str], Awaitable[float | None]], workers: int = 1, clock: ManualClock | None = None
) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue(work, clock=clock, jitter=lambda longest: longest) if clock else WorkQueue(work)
    running = asyncio.create_task(queue.run(workers))
    try:
        yield queue
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_most_urgent_comes_first_and_each_once() -> None:
    """A person's change goes before drift, drift before resync; asked for twice, a tenant is looked at one time."""
    work = Worker()
    async with at_work(work) as queue:
        queue.add("busy", Priority.DRIFT)
        await eventually(lambda: work.running == ["busy"])
        for _ in range(3):
            queue.add("resync", Priority.RESYNC)
            queue.add("drift", Priority.DRIFT)
            queue.add("late", Priority.RESYNC)
        queue.add("late", Priority.USER)
        assert queue.depth == 3
        assert queue.oldest >= 0
        work.go.set()
        await eventually(lambda: len(work.done) == 4)
        assert work.done == ["busy", "late", "drift", "resync"]
        assert queue.depth == 0


async def test_a_change_during_a_pass_leads_to_another_pass() -> None:
    """What happens while a tenant is worked on is not lost, and does not make two passes run concurrently."""
    work = Worker()
    async with at_work(work, workers=3) as queue:
        queue.add("demo", Priority.USER)
        await eventually(lambda: work.running == ["demo"])
        for _ in range(5):
            queue.add("demo", Priority.DRIFT)
        work.go.set()
        await eventually(lambda: work.done == ["demo", "demo"])


async def test_no_more_concurrent_passes_than_workers() -> None:
    """Many tenants wait for the few workers there are."""
    work = Worker()
    async with at_work(work, workers=3) as queue:
        for number in range(20):
            queue.add(str(number), Priority.DRIFT)
        await eventually(lambda: len(work.running) == 3)
        work.go.set()
        await eventually(lambda: len(work.done) == 20)
        assert work.most == 3


async def test_a_failed_pass_is_tried_again() -> None:
    """A pass that fails is repeated until it succeeds."""
    work, clock = Worker(), ManualClock()
    work.go.set()
    work.fails = 2
    async with at_work(work, clock=clock) as queue:
        queue.add("demo", Priority.USER)
        for passes in (1, 2):
            await eventually(lambda passes=passes: (len(work.done), len(clock.delays)) == (passes, 1))  # type: ignore[misc]
            clock.advance(clock.delays[0])
        await eventually(lambda: work.done == ["demo"] * 3)
        assert clock.delays == []


async def test_delays_grow_and_a_person_resets_them() -> None:
    """The delay after failures doubles up to five minutes; a change by a person starts it again from the first."""
    work, clock, seen = Worker(), ManualClock(), list[float]()
    work.go.set()
    work.fails = 12
    async with at_work(work, clock=clock) as queue:
        queue.add("demo", Priority.USER)
        for _ in range(11):
            await eventually(lambda: len(clock.delays) == 1)
            seen += clock.delays
            clock.advance(clock.delays[0] - 0.125)
            assert clock.delays, "it is not tried before its time"
            clock.advance(0.25)
        assert seen == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
        await eventually(lambda: work.fails == 0 and len(clock.delays) == 1)
        work.fails = 1
        queue.add("demo", Priority.USER)
        await eventually(lambda: clock.delays == [1])


async def test_delays_are_spread() -> None:
    """Without a jitter of the test's own the delay after a failure is anywhere below its longest."""
    delays = set()
    for _ in range(5):
        work, clock = Worker(), ManualClock()
        work.go.set()
        work.fails = 1
        queue = WorkQueue(work, clock=clock)
        running = asyncio.create_task(queue.run(1))
        queue.add("demo", Priority.DRIFT)
        await eventually(lambda clock=clock: len(clock.delays) == 1)  # type: ignore[misc]
        delays |= set(clock.delays)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert len(delays) > 1
    assert all(0 <= delay <= 1 for delay in delays)


async def test_a_tenant_asks_to_be_looked_at_later() -> None:
    """The time that a pass asks for is kept, unless something happens before."""
    work, clock = Worker(), ManualClock()
    work.go.set()
    work.after = 900
    async with at_work(work, clock=clock) as queue:
        queue.add("demo", Priority.USER)
        await eventually(lambda: clock.delays == [900])
        clock.advance(900)
        await eventually(lambda: len(work.done) == 2 and clock.delays == [900])
        clock.advance(300)
        queue.add("demo", Priority.DRIFT)
        await eventually(lambda: len(work.done) == 3 and clock.delays == [900])


async def test_the_sooner_of_two_requests_counts() -> None:
    """A later request does not postpone an earlier one, and a sooner one replaces it."""
    clock = ManualClock()
    queue = WorkQueue(Worker(), clock=clock)
    queue.add("demo", Priority.RESYNC, after=60)
    queue.add("demo", Priority.RESYNC, after=90)
    assert clock.delays == [60]
    queue.add("demo", Priority.RESYNC, after=30)
    assert clock.delays == [30]


async def test_the_oldest_wait_is_measured() -> None:
    """How long the first in the queue waits shows on the clock; nothing waits, nothing shows."""
    clock = ManualClock()
    queue = WorkQueue(Worker(), clock=clock)
    assert queue.oldest == 0
    queue.add("first", Priority.DRIFT)
    clock.advance(5)
    queue.add("second", Priority.USER)
    assert queue.oldest == 5


async def test_a_forgotten_tenant_is_not_worked_on() -> None:
    """A deleted tenant leaves neither work nor timers."""
    work, clock = Worker(), ManualClock()
    async with at_work(work, clock=clock) as queue:
        queue.add("busy", Priority.USER)
        await eventually(lambda: work.running == ["busy"])
        queue.add("deleted", Priority.USER)
        queue.add("deleted", Priority.RESYNC, after=100)
        queue.forget("deleted")
        assert clock.delays == []
        queue.add("last", Priority.RESYNC)
        work.go.set()
        await eventually(lambda: "last" in work.done)
        assert work.done == ["busy", "last"]
