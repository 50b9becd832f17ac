"""Bounded work: what runs, what waits, what is refused."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from imghost_core.errors import Unavailable
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.render_queue import RenderQueue
from support.eventually import eventually


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def queue(registry: CollectorRegistry) -> AsyncIterator[RenderQueue]:
    made = RenderQueue(2, 2, ImagingMetrics(registry), wait_seconds=30)
    yield made
    made.close()


def gauge(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value(f"imghost_imaging_slots_{name}")


async def work(queue: RenderQueue, gate: threading.Event) -> str:
    async with queue.slot():
        await queue.run(gate.wait, 20)
        return "done"


async def test_a_request_beyond_the_queue_is_rejected_immediately(
    queue: RenderQueue, registry: CollectorRegistry
) -> None:
    """Two slots with two waiting each hold six; the seventh is rejected immediately, and the six are all served."""
    gate = threading.Event()
    held = [asyncio.create_task(work(queue, gate)) for _ in range(6)]
    await eventually(lambda: gauge(registry, "queued") == 4, why="two at work, four waiting")
    assert gauge(registry, "busy") == 2
    with pytest.raises(Unavailable) as caught:
        await work(queue, gate)
    assert (caught.value.code, caught.value.retry_after) == ("overloaded", 1)
    gate.set()
    assert await asyncio.gather(*held) == ["done"] * 6
    assert (gauge(registry, "busy"), gauge(registry, "queued"), gauge(registry, "rejected_total")) == (0, 0, 1)


async def test_an_error_or_a_cancelled_wait_frees_its_place(queue: RenderQueue, registry: CollectorRegistry) -> None:
    """Neither an exception in the work nor a caller who left takes a slot away for good."""
    gate = threading.Event()

    def fail() -> None:
        raise ValueError("as planned")

    for _ in range(5):
        with pytest.raises(ValueError, match="as planned"):
            async with queue.slot():
                await queue.run(fail)
    held = [asyncio.create_task(work(queue, gate)) for _ in range(4)]
    await eventually(lambda: gauge(registry, "queued") == 2, why="two wait")
    held[3].cancel()
    await asyncio.gather(held[3], return_exceptions=True)
    assert gauge(registry, "queued") == 1
    gate.set()
    assert await asyncio.gather(*held[:3]) == ["done"] * 3


async def test_waiting_for_a_slot_times_out(registry: CollectorRegistry) -> None:
    """Waiting longer than allowed for a slot is an overload error."""
    queue, gate = RenderQueue(1, 4, ImagingMetrics(registry), wait_seconds=0.05), threading.Event()
    held = asyncio.create_task(work(queue, gate))
    await eventually(lambda: gauge(registry, "busy") == 1)
    with pytest.raises(Unavailable, match="queue is full"):
        await work(queue, gate)
    gate.set()
    assert await held == "done"
    queue.close()


async def test_work_runs_in_at_most_one_thread_per_slot(queue: RenderQueue) -> None:
    """Work is done in threads, at most as many as there are slots."""
    names = set()

    def note() -> None:
        names.add(threading.current_thread().name)

    async def one() -> None:
        async with queue.slot():
            await queue.run(note)

    for _ in range(10):
        await one()
    assert threading.current_thread().name not in names
    assert len(names) <= 2


async def test_the_wait_for_a_slot_counts_for_the_wait_for_memory(registry: CollectorRegistry) -> None:
    """Both together end `wait_seconds` after the request came, so that the api does not give up before the answer."""
    queue, gate = RenderQueue(1, 4, ImagingMetrics(registry), wait_seconds=30), threading.Event()
    held = asyncio.create_task(work(queue, gate))
    await eventually(lambda: gauge(registry, "busy") == 1)
    before = asyncio.get_running_loop().time()

    async def wait() -> float:
        async with queue.slot() as until:
            return until

    waiting = asyncio.create_task(wait())
    await eventually(lambda: gauge(registry, "queued") == 1)
    queued = asyncio.get_running_loop().time()
    gate.set()
    assert before + 30 <= await waiting <= queued + 30
    await held
    queue.close()
