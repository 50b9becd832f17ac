"""The work queue: which tenant comes next, and when again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

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


@asynccontextmanager
async def at_work(work: Callable[[str], Awaitable[float | None]], workers: int = 1) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue(work)
    running = asyncio.create_task(queue.run(workers))
    try:
        yield queue
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_most_urgent_comes_first_and_each_once() -> None:
    """A person's change goes before drift, drift before resync; asked for many times, a tenant is looked at once."""
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


async def test_news_during_a_pass_leads_to_another_one() -> None:
    """What happens while a tenant is worked on is not lost, and does not make two passes run at once."""
    work = Worker()
    async with at_work(work, workers=3) as queue:
        queue.add("demo", Priority.USER)
        await eventually(lambda: work.running == ["demo"])
        for _ in range(5):
            queue.add("demo", Priority.DRIFT)
        work.go.set()
        await eventually(lambda: work.done == ["demo", "demo"])


async def test_no_more_at_once_than_workers() -> None:
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
    work = Worker()
    work.go.set()
    work.fails = 2
    async with at_work(work) as queue:
        queue.add("demo", Priority.USER)
        await eventually(lambda: work.done == ["demo"] * 3, within=10)


async def test_delays_grow_and_a_person_resets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off doubles up to five minutes, with full jitter; a change by a person starts it anew."""
    monkeypatch.setattr("imghost_operator.workqueue.random.uniform", lambda low, high: high)
    queue = WorkQueue(Worker())
    assert [queue._delay("demo") for _ in range(11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    queue.add("demo", Priority.USER)
    assert queue._delay("demo") == 1


async def test_a_tenant_asks_to_be_looked_at_later() -> None:
    """The time that a pass asks for is kept, unless something happens before."""
    work = Worker()
    work.go.set()
    work.after = 0.05
    async with at_work(work) as queue:
        queue.add("demo", Priority.USER)
        await eventually(lambda: len(work.done) >= 3)
        work.after = 1000
        await eventually(lambda: bool(queue._timers) and queue._timers["demo"].when() > 500)
        before = len(work.done)
        queue.add("demo", Priority.DRIFT)
        await eventually(lambda: len(work.done) == before + 1)


async def test_a_forgotten_tenant_is_not_worked_on() -> None:
    """A tenant that is gone leaves neither work nor timers."""
    work = Worker()
    async with at_work(work) as queue:
        queue.add("busy", Priority.USER)
        await eventually(lambda: work.running == ["busy"])
        queue.add("gone", Priority.USER)
        queue.add("gone", Priority.RESYNC, after=100)
        queue.forget("gone")
        queue.add("last", Priority.RESYNC)
        work.go.set()
        await eventually(lambda: "last" in work.done)
        assert work.done == ["busy", "last"]
        assert not queue._timers
