"""The buffer of views while its database is slow, away or stubborn."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from imghost_core.contract.delivery import ViewEvent
from imghost_core.errors import Unavailable
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.views import ViewBuffer


class Door:
    """The database's side: what was written, and a failure to raise instead."""

    def __init__(self) -> None:
        self.written: list[ViewEvent] = []
        self.failure: Exception | None = None

    async def add_views(self, views: Sequence[ViewEvent]) -> None:
        if self.failure:
            raise self.failure
        self.written += views


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def view(number: int) -> ViewEvent:
    return ViewEvent(uuid.UUID(int=number), datetime.now(UTC), "thumb", number, 200, True, None, None)


async def test_views_survive_an_outage_in_order(door: Door, registry: CollectorRegistry) -> None:
    """While the database is away views wait; when it is back they are all written, in order."""
    buffer = ViewBuffer(door.add_views, ImagingMetrics(registry))
    door.failure = Unavailable("away")
    for number in range(2500):
        buffer.record(view(number))
        if number % 500 == 0:
            await buffer.flush()
    door.failure = None
    await buffer.flush()
    assert [one.bytes for one in door.written] == list(range(2500))


async def test_a_full_buffer_drops_the_oldest_and_counts(door: Door, registry: CollectorRegistry) -> None:
    """Memory stays bounded during a long outage; what was given up is in a metric."""
    buffer = ViewBuffer(door.add_views, ImagingMetrics(registry), capacity=10)
    door.failure = Unavailable("away")
    for number in range(25):
        buffer.record(view(number))
        await buffer.flush()
    door.failure = None
    await buffer.flush()
    assert [one.bytes for one in door.written] == list(range(15, 25))
    assert registry.get_sample_value("imghost_imaging_views_dropped_total") == 15


async def test_a_rejected_batch_does_not_stop_later_ones(door: Door, registry: CollectorRegistry) -> None:
    """An error that is not an outage costs its batch, which is counted, and nothing after it."""
    buffer = ViewBuffer(door.add_views, ImagingMetrics(registry))
    door.failure = RuntimeError("constraint")
    buffer.record(view(1))
    await buffer.flush()
    door.failure = None
    buffer.record(view(2))
    await buffer.flush()
    assert [one.bytes for one in door.written] == [2]
    assert registry.get_sample_value("imghost_imaging_views_dropped_total") == 1


async def test_waiting_views_are_written_on_stop(door: Door, registry: CollectorRegistry) -> None:
    """Stopping writes what was recorded since the last interval."""
    buffer = ViewBuffer(door.add_views, ImagingMetrics(registry), interval=60)
    writing = asyncio.create_task(buffer.run())
    buffer.record(view(1))
    buffer.stop()
    await asyncio.wait_for(writing, 5)
    assert len(door.written) == 1
