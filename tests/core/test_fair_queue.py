"""Turns at scarce work."""

import asyncio
from contextlib import suppress

import pytest

from imghost_core.contract.errors import Overloaded
from imghost_core.fair_queue import FairQueue


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def work(queue: FairQueue, source: str, done: list[str]) -> None:
    async with queue.turn(source):
        await asyncio.sleep(0)
        done.append(source)


async def test_sources_take_turns() -> None:
    """One request of a source waits for one of each other source, however many these have."""
    queue, done = FairQueue(1, per_source=100, total=100, rejection="full"), list[str]()
    flood = [asyncio.create_task(work(queue, "flood", done)) for _ in range(50)]
    await asyncio.sleep(0)
    await work(queue, "other", done)
    assert done.index("other") <= 2
    await asyncio.gather(*flood)
    assert len(done) == 51


async def test_turns_that_were_given_up_cost_a_source_no_round() -> None:
    """A source whose earlier requests ran out of time waits for one of each other source, as any."""
    queue, done, release = FairQueue(1, per_source=100, total=100, rejection="full"), list[str](), asyncio.Event()

    async def hold() -> None:
        async with queue.turn("holder"):
            await release.wait()

    holder = asyncio.create_task(hold())
    await settle()
    late = [asyncio.create_task(work(queue, "slow", done)) for _ in range(20)]
    await settle()
    for task in late:
        task.cancel()
    others = [asyncio.create_task(work(queue, "busy", done)) for _ in range(20)]
    await settle()
    last = asyncio.create_task(work(queue, "slow", done))
    await settle()
    release.set()
    await asyncio.gather(holder, *others, last, *late, return_exceptions=True)
    assert len(done) == 21
    assert done.index("slow") <= 2


async def test_it_is_bounded_for_each_source_and_in_all() -> None:
    """What does not fit is rejected without waiting, and the places come free again."""
    queue, release = FairQueue(1, per_source=2, total=3, rejection="Too much at a time."), asyncio.Event()

    async def hold(source: str) -> None:
        async with queue.turn(source):
            await release.wait()

    held = [asyncio.create_task(hold(source)) for source in ("a", "a", "b")]
    await settle()
    for source in ("a", "c"):
        with pytest.raises(Overloaded, match="Too much at a time") as rejected:
            async with queue.turn(source):
                pass
        assert rejected.value.retry_after
    release.set()
    await asyncio.gather(*held)
    async with queue.turn("c"):
        pass


async def test_a_cancelled_wait_loses_no_slot() -> None:
    """Whether it is cancelled before or just after its turn came, the next one gets the slot."""
    queue, release = FairQueue(1, per_source=9, total=9, rejection="full"), asyncio.Event()

    async def hold() -> None:
        async with queue.turn("holder"):
            await release.wait()

    holder = asyncio.create_task(hold())
    await settle()
    waiting = [asyncio.create_task(work(queue, "waiting", [])) for _ in range(2)]
    await settle()
    waiting[0].cancel()
    release.set()
    await holder  # its slot now belongs to the second one, which has not run yet
    waiting[1].cancel()
    for task in waiting:
        with suppress(asyncio.CancelledError):
            await task
    async with asyncio.timeout(1):
        async with queue.turn("next"):
            pass
