"""Memory is reserved in order, and never beyond its total."""

import asyncio

import pytest

from imghost_imaging.memory_budget import MemoryBudget
from support.eventually import eventually


def after(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def hold(budget: MemoryBudget, size: int, gate: asyncio.Event, log: list[int]) -> None:
    async with budget.reserve(size, until=after(20)):
        log.append(size)
        await gate.wait()


async def test_work_that_needs_everything_runs_alone_and_in_its_turn() -> None:
    """It waits for those before it; small work that came later does not pass it, though it would fit."""
    budget, log = MemoryBudget(100), list[int]()
    gates = [asyncio.Event() for _ in range(4)]
    works = []
    for gate, size in zip(gates, (30, 30, 100, 10), strict=True):
        works.append(asyncio.create_task(hold(budget, size, gate, log)))
        await asyncio.sleep(0)
    assert (log, budget.reserved) == ([30, 30], 60)
    gates[0].set()
    await works[0]
    assert log == [30, 30]
    gates[1].set()
    await eventually(lambda: log == [30, 30, 100], why="the large one has its turn")
    assert budget.reserved == 100
    gates[2].set()
    await eventually(lambda: log == [30, 30, 100, 10], why="then the small one")
    gates[3].set()
    await asyncio.gather(*works)
    assert budget.reserved == 0


async def test_a_wait_that_ends_gives_up_its_place() -> None:
    """After a time-out or a cancellation those behind are served, and no memory is lost."""
    budget, log, gate = MemoryBudget(100), list[int](), asyncio.Event()
    first = asyncio.create_task(hold(budget, 60, gate, log))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with budget.reserve(100, until=after(0.01)):
            pass
    cancelled = asyncio.create_task(hold(budget, 90, gate, log))
    await asyncio.sleep(0)
    behind = asyncio.create_task(hold(budget, 40, gate, log))
    await asyncio.sleep(0)
    assert log == [60]
    cancelled.cancel()
    await eventually(lambda: log == [60, 40], why="the one behind fits")
    gate.set()
    await asyncio.gather(first, behind)
    assert budget.reserved == 0


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_a_turn_that_is_cancelled_as_memory_becomes_free_loses_nothing(*, cancelled_first: bool) -> None:
    """In one iteration of the loop a waiter leaves and memory is given back, in any order: all of it is free again."""
    budget, log, gate = MemoryBudget(100), list[int](), asyncio.Event()
    waiting = asyncio.Event()
    async with budget.reserve(100, until=after(20)):
        leaving = asyncio.create_task(hold(budget, 70, gate, log))
        behind = asyncio.create_task(hold(budget, 60, waiting, log))
        await asyncio.sleep(0)
        if cancelled_first:
            leaving.cancel()
    leaving.cancel()
    await asyncio.wait([leaving])
    assert leaving.cancelled()
    await eventually(lambda: log == [60], why="the one behind has its turn")
    waiting.set()
    await behind
    assert budget.reserved == 0


async def test_after_the_end_of_the_wait_memory_is_given_if_it_is_free() -> None:
    """The time may have passed while the work waited for its slot: then it takes what is free, and waits no longer."""
    budget = MemoryBudget(100)
    async with budget.reserve(60, until=after(-1)):
        with pytest.raises(TimeoutError):
            async with budget.reserve(60, until=after(-1)):
                pass
        assert budget.reserved == 60
    assert budget.reserved == 0
