"""Several dispatchers: every event once to every subscriber, in order per subject."""

import asyncio
from contextlib import AsyncExitStack

from support.eventually import eventually
from support.outbox import Outbox, happened

SUBJECTS, EVENTS = 12, 25


async def publish_all(outbox: Outbox, about: str) -> None:
    for number in range(EVENTS):
        await outbox.publish(happened(about, number))


async def test_each_subject_arrives_in_order_and_once(outbox: Outbox) -> None:
    """Three dispatchers with four lanes each deliver twelve subjects, published in parallel, to two subscribers: none
    is lost, none comes twice, and each subject comes in the order in which it was published.
    """
    names = ("first", "second")
    async with AsyncExitStack() as stack:
        for _ in range(3):
            subscribers = [outbox.keep(name) for name in names]
            await stack.enter_async_context(outbox.dispatcher(*subscribers, concurrency=4))
        await asyncio.gather(*(publish_all(outbox, f"s{number}") for number in range(SUBJECTS)))
        for name in names:
            await eventually(
                lambda name=name: len(outbox.received(name)) >= SUBJECTS * EVENTS, within=60, why="all arrive"
            )
    for name in names:
        for number in range(SUBJECTS):
            assert outbox.received(name, f"s{number}") == list(range(EVENTS))
    assert outbox.tenant.query("SELECT count(*) FROM event_deliveries") == [(0,)]


async def test_a_backlog_is_worked_off_in_order(outbox: Outbox) -> None:
    """Events published while no dispatcher ran arrive when one does, in order."""
    async with outbox.dispatcher(outbox.keep("reader")):
        await eventually(lambda: outbox.tenant.query("SELECT 1 FROM event_subscriptions"), why="it is known")
    for number in range(50):
        await outbox.publish(happened("a", number))
    async with outbox.dispatcher(outbox.keep("reader"), concurrency=4):
        await eventually(lambda: len(outbox.received("reader")) == 50, within=30, why="the backlog arrives")
    assert outbox.received("reader") == list(range(50))
