"""Publishing: an event is part of its transaction, and of the order of its subject."""

import asyncio

import pytest

from imghost_api.events.outbox import publish
from support.eventually import eventually
from support.outbox import WORKSPACE, Outbox, happened, wait_for_lock


async def test_a_rolled_back_event_never_existed(outbox: Outbox) -> None:
    """An event exists if, and only if, its transaction commits."""
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with outbox.database.transaction(WORKSPACE) as session:
            await publish(session, happened("a", 1))
            raise RuntimeError("changed my mind")
    async with outbox.dispatcher(outbox.keep("reader")):
        await outbox.publish(happened("a", 2))
        await eventually(lambda: outbox.received("reader") == [2], why="only what was committed arrives")


async def test_an_event_keeps_what_it_says(outbox: Outbox) -> None:
    """The row has the type, version, subject and fields of the event."""
    await outbox.publish(happened("a", 1))
    (row,) = outbox.tenant.query("SELECT type, version, subject, workspace_id, payload FROM outbox")
    assert row[:4] == ("test.happened", 1, "test/a", WORKSPACE)
    assert row[4] == {"workspace_id": str(WORKSPACE), "about": "a", "number": 1}


async def test_a_late_commit_is_neither_lost_nor_overtaken(outbox: Outbox) -> None:
    """A transaction that published early and commits late: an event of another subject with a higher number goes
    first, an event of the same subject waits, and all arrive.
    """
    async with outbox.dispatcher(outbox.keep("reader")):
        async with outbox.database.transaction(WORKSPACE) as late:
            await publish(late, happened("a", 1))
            following = asyncio.create_task(outbox.publish(happened("a", 2)))
            await wait_for_lock(outbox.tenant, "advisory")
            await outbox.publish(happened("b", 3))
            await eventually(lambda: outbox.received("reader") == [3], why="another subject goes on")
            assert not following.done()
        await following
        await eventually(lambda: outbox.received("reader") == [3, 1, 2], why="the order of commits")


async def test_transactions_that_publish_the_same_subjects_do_not_deadlock(outbox: Outbox) -> None:
    """Several subjects published by one call are locked in one order, whatever the order of the arguments."""
    ab, ba = [happened("a", 1), happened("b", 1)], [happened("b", 2), happened("a", 2)]
    await asyncio.gather(*(outbox.publish(*events) for _ in range(20) for events in (ab, ba)))
    assert outbox.tenant.query("SELECT count(*) FROM outbox") == [(80,)]
