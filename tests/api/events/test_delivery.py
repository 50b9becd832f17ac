"""Delivery: effects once, failures retried, dead letters, isolation between subscribers, skewed releases."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from imghost_api.db.engine import Session
from imghost_api.db.system import all_workspaces
from imghost_api.events import dead_letters
from imghost_api.events.delivery import Patience
from imghost_api.events.event import Subscriber, on
from imghost_api.events.jobs import delete_old_events
from imghost_api.events.tables import OutboxEvent
from imghost_core.errors import Unavailable
from imghost_core.ids import uuid7
from support.eventually import eventually
from support.forwarder import Forwarder
from support.metrics import value
from support.outbox import QUICK, WORKSPACE, Happened, Outbox, happened

INSERT = "INSERT INTO outbox (workspace_id, subject, type, version, payload) VALUES (%s, %s, %s, %s, %s::jsonb)"


class Renamed(Happened):
    """An event of another type."""

    type: ClassVar[str] = "test.renamed"


async def test_an_effect_happens_once_although_the_handler_failed(outbox: Outbox) -> None:
    """What a failed attempt wrote is undone; the next attempt's effect is the only one."""
    attempts: list[int] = []

    async def fail_first(session: Session, event: Happened) -> None:
        attempts.append(event.number)
        await session.execute(text("INSERT INTO received (subscriber, number) VALUES ('undone', 0)"))
        if len(attempts) == 1:
            raise Unavailable("The first attempt fails.")

    async with outbox.dispatcher(outbox.keep("reader", fail_first)) as dispatching:
        await outbox.publish(happened("a", 7))
        await eventually(lambda: outbox.received("reader") == [7], why="the second attempt succeeds")
        deliveries = dispatching.metrics.deliveries
        await eventually(lambda: value(deliveries, "reader", "done") == 1, why="it is counted")
    assert outbox.tenant.query("SELECT count(*) FROM received WHERE subscriber = 'undone'") == [(1,)]
    assert attempts == [7, 7]
    assert value(deliveries, "reader", "failed") == 1


async def test_a_dead_letter_holds_back_its_subject_only(outbox: Outbox) -> None:
    """After the last attempt an event is a dead letter: later events of its subject wait, other subjects and other
    subscribers go on. Requeued, it is delivered, and what waited follows in order.
    """
    broken = True

    async def fail_one(_: Session, event: Happened) -> None:
        if broken and event.number == 1:
            raise ValueError("a value that must not be stored")

    async with outbox.dispatcher(outbox.keep("reader", fail_one), outbox.keep("other")) as dispatching:
        for event in (happened("a", 1), happened("a", 2), happened("b", 3), happened("a", 4)):
            await outbox.publish(event)
        await eventually(lambda: sorted(outbox.received("other")) == [1, 2, 3, 4], why="the other subscriber has all")
        async with all_workspaces(outbox.database) as session:
            (dead,) = await eventually(lambda: dead_letters.list_dead(session), why="it is a dead letter")
        assert (dead.subscriber, dead.type, dead.subject) == ("reader", "test.happened", "test/a")
        assert (dead.attempts, dead.error, dead.waiting) == (QUICK.attempts, "ValueError", 2)
        await eventually(lambda: outbox.received("reader") == [3], why="the other subject goes on")
        await dispatching.dispatcher.measure()
        figures = [dispatching.metrics.dead, dispatching.metrics.pending]
        assert [value(figure, "reader") for figure in figures] == [1, 2]
        assert value(dispatching.metrics.lag, "reader") > 0
        broken = False
        async with all_workspaces(outbox.database) as session:
            assert await dead_letters.requeue(session, subscriber="reader") == 1
        await eventually(lambda: outbox.received("reader") == [3, 1, 2, 4], why="what waited follows")


async def _violate_at_the_end(session: Session, _: Happened) -> None:
    session.add_all(
        OutboxEvent(id=-1, workspace_id=WORKSPACE, subject="", type="", version=1, payload={}) for _ in "12"
    )


async def _go_on_after_a_failed_statement(session: Session, _: Happened) -> None:
    with suppress(DBAPIError):
        await session.execute(text("SELECT 1 / 0"))


async def _end_the_transaction(session: Session, _: Happened) -> None:
    await session.rollback()


async def _cancel(_: Session, __: Happened) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    "handle", [_violate_at_the_end, _go_on_after_a_failed_statement, _end_the_transaction, _cancel]
)
async def test_a_handler_that_breaks_its_transaction_is_a_failed_attempt(outbox: Outbox, handle: Any) -> None:
    """Whatever it does to the session or the task counts as its failure: other subscribers go on, and it ends as a
    dead letter.
    """
    async with outbox.dispatcher(Subscriber.to("reader", on(Happened, handle)), outbox.keep("other"), concurrency=1):
        await outbox.publish(happened("a", 1))
        await outbox.publish(happened("b", 2))
        async with all_workspaces(outbox.database) as session:
            dead = await eventually(lambda: _two_dead(session), why="both are dead letters")
        assert [letter.attempts for letter in dead] == [QUICK.attempts] * 2
        await eventually(lambda: outbox.received("other") == [1, 2], why="the other subscriber has both")


async def _two_dead(session: Session) -> list[dead_letters.DeadLetter]:
    found = list(await dead_letters.list_dead(session))
    return found if len(found) == 2 else []


async def test_a_discarded_dead_letter_is_skipped(outbox: Outbox) -> None:
    """A dead letter that is discarded never arrives; what waited behind it does."""

    async def fail_one(_: Session, event: Happened) -> None:
        if event.number == 1:
            raise ValueError

    async with outbox.dispatcher(outbox.keep("reader", fail_one)):
        await outbox.publish(happened("a", 1))
        await outbox.publish(happened("a", 2))
        async with all_workspaces(outbox.database) as session:
            (dead,) = await eventually(lambda: dead_letters.list_dead(session), why="it is a dead letter")
            assert await dead_letters.discard(session, subscriber="reader", event_id=dead.event_id) == 1
        await eventually(lambda: outbox.received("reader") == [2], why="the next follows")


def test_pauses_grow_up_to_a_limit() -> None:
    """Each pause is about double the one before, up to the longest."""
    patience = Patience(first_pause=2, longest_pause=60)
    pauses = [patience.pause(attempts).total_seconds() for attempts in range(10)]
    assert all(0.75 * 2 ** (n + 1) <= pause <= 1.25 * 2 ** (n + 1) for n, pause in enumerate(pauses[:4]))
    assert all(45 <= pause <= 75 for pause in pauses[5:])


async def test_a_slow_subscriber_delays_no_other(outbox: Outbox) -> None:
    """While one subscriber hangs on every event, another receives all of them."""
    hanging = asyncio.Event()

    async def hang(_: Session, __: Happened) -> None:
        await hanging.wait()

    patience = Patience(seconds=60)  # longer than this test may wait: to hang is no failed attempt here
    async with outbox.dispatcher(outbox.keep("slow", hang), outbox.keep("quick"), patience=patience):
        for number in range(20):
            await outbox.publish(happened(f"s{number}", number))
        await eventually(lambda: len(outbox.received("quick")) == 20, why="the quick one has all")
        assert outbox.received("slow") == []
        hanging.set()
        await eventually(lambda: len(outbox.received("slow")) == 20, within=20, why="the slow one follows")


async def test_a_handler_that_hangs_is_given_up(outbox: Outbox) -> None:
    """An attempt that takes too long counts as failed."""

    async def hang(_: Session, __: Happened) -> None:
        await asyncio.Event().wait()

    patience = Patience(seconds=0.1, attempts=1)
    async with outbox.dispatcher(outbox.keep("slow", hang), patience=patience):
        await outbox.publish(happened("a", 1))
        dead = "SELECT error FROM event_deliveries WHERE dead_at IS NOT NULL"
        await eventually(lambda: outbox.tenant.query(dead) == [("TimeoutError",)], why="it is given up")


async def test_without_a_notification_events_arrive_by_polling(outbox: Outbox) -> None:
    """An event whose notification is lost arrives with the next poll."""
    async with outbox.dispatcher(outbox.keep("reader")):
        await eventually(lambda: outbox.tenant.query("SELECT 1 FROM event_subscriptions"), why="it is known")
        fields = f'{{"workspace_id": "{WORKSPACE}", "about": "a", "number": 5}}'
        outbox.tenant.query(INSERT, WORKSPACE, "test/a", "test.happened", 1, fields)
        await eventually(lambda: outbox.received("reader") == [5], why="polling finds it")


async def test_a_notification_starts_a_delivery(outbox: Outbox) -> None:
    """A dispatcher that polls once a minute delivers what is published within seconds, also to itself after routing."""
    async with outbox.dispatcher(outbox.keep("reader"), poll=60):
        # Only a LISTEN that is over hears what is published from then on.
        listening = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' AND state = 'idle' AND datname = %s"
        await eventually(lambda: outbox.tenant.query(listening, outbox.tenant.name), why="it listens")
        await outbox.publish(happened("a", 1))
        await eventually(lambda: outbox.received("reader") == [1], within=5, why="it was woken")


async def test_a_dispatcher_recovers_from_an_outage(outbox: Outbox) -> None:
    """While the database is away a dispatcher waits; afterwards it delivers what was published meanwhile."""
    port = outbox.tenant.server.port
    async with Forwarder(port) as way:
        url = outbox.tenant.url("api").replace(f":{port}/", f":{way.port}/")
        settings = outbox.settings.model_copy(update={"database_url": type(outbox.settings.database_url)(url)})
        database = type(outbox.database).open(settings)
        async with outbox.dispatcher(outbox.keep("reader"), settings=settings, database=database):
            await outbox.publish(happened("a", 1))
            await eventually(lambda: outbox.received("reader") == [1], why="it works")
            await way.down()
            await outbox.publish(happened("a", 2))
            await way.up()
            await eventually(lambda: outbox.received("reader") == [1, 2], within=30, why="it works again")
        await database.close()


async def test_a_handler_acts_in_the_workspace_of_the_event(outbox: Outbox) -> None:
    """The session of a handler sees the event's workspace and no other."""
    seen: list[Any] = []

    async def look(session: Session, _: Happened) -> None:
        seen.append(await session.scalar(text("SELECT current_setting('imghost.workspace')")))
        seen.append(await session.scalar(text("SELECT count(*) FROM outbox")))

    other = uuid7()
    await outbox.publish(happened("b", 1, workspace=other))
    async with outbox.dispatcher(Subscriber.to("reader", on(Happened, look))):
        await eventually(lambda: len(seen) == 2, why="it was called")
    assert seen == [str(other), 1]
    await outbox.publish(happened("c", 2))
    async with outbox.dispatcher(Subscriber.to("reader", on(Happened, look))):
        await eventually(lambda: len(seen) == 4, why="it was called again")
    assert seen[2:] == [str(WORKSPACE), 1]


async def test_fields_of_a_newer_release_are_ignored(outbox: Outbox) -> None:
    """An event with a field that this release does not know is delivered without it."""
    fields = f'{{"workspace_id": "{WORKSPACE}", "about": "a", "number": 5, "colour": "blue"}}'
    outbox.tenant.query(INSERT, WORKSPACE, "test/a", "test.happened", 1, fields)
    async with outbox.dispatcher(outbox.keep("reader")):
        await eventually(lambda: outbox.received("reader") == [5], why="it arrives")


async def test_what_this_release_does_not_know_waits_for_one_that_does(outbox: Outbox) -> None:
    """A newer version, and a type that only a newer release of the subscriber takes, wait for it, and hold back later
    events of their subject; the newer release then gets all, in order.
    """

    class Newer(Happened):
        version: ClassVar[int] = 2

    newer = Subscriber.to("reader", on(Newer, outbox.keep("reader").subscriptions["test.happened"].handle))
    both = Subscriber.to("reader", *newer.subscriptions.values(), on(Renamed, newer.subscriptions[Newer.type].handle))
    async with outbox.dispatcher(both):
        await eventually(lambda: outbox.tenant.query("SELECT count(*) FROM event_subscriptions") == [(2,)], why="known")
    await outbox.publish(Newer(workspace_id=WORKSPACE, about="a", number=1))
    await outbox.publish(happened("a", 2))
    await outbox.publish(Renamed(workspace_id=WORKSPACE, about="b", number=3))
    await outbox.publish(happened("c", 4))
    async with outbox.dispatcher(outbox.keep("reader")):
        await eventually(lambda: outbox.received("reader") == [4], why="what it knows arrives")
    async with outbox.dispatcher(both):
        await eventually(lambda: len(outbox.received("reader")) == 4, why="the newer release gets all")
    assert outbox.received("reader", "a") == [1, 2]


async def test_an_unreadable_payload_becomes_a_dead_letter(outbox: Outbox) -> None:
    """A payload that does not fit its type is retried, then kept as a dead letter."""
    outbox.tenant.query(INSERT, WORKSPACE, "test/a", "test.happened", 1, '{"number": "none"}')
    async with outbox.dispatcher(outbox.keep("reader")):
        dead = "SELECT error FROM event_deliveries WHERE dead_at IS NOT NULL"
        await eventually(lambda: outbox.tenant.query(dead) == [("ValidationError",)], why="it is given up")


async def test_a_new_subscriber_gets_what_is_still_kept(outbox: Outbox) -> None:
    """A subscriber of a new release receives events from before it existed, for as long as they are kept."""
    async with outbox.dispatcher(outbox.keep("old")):
        await outbox.publish(happened("a", 1))
        await eventually(lambda: outbox.received("old") == [1], why="the old one has it")
    async with outbox.dispatcher(outbox.keep("old"), outbox.keep("new")):
        await eventually(lambda: outbox.received("new") == [1], why="the new one gets it as well")
    assert outbox.received("old") == [1]


async def test_old_events_are_deleted_once_delivered(outbox: Outbox) -> None:
    """Events are removed when they are old and every subscriber has them; those of a type this release does not know
    are left, and so are undelivered ones.
    """
    async with outbox.dispatcher(outbox.keep("reader")):
        await outbox.publish(happened("a", 1))
        await outbox.publish(Renamed(workspace_id=WORKSPACE, about="b", number=2))
        await eventually(lambda: outbox.received("reader") == [1], why="delivered")
    await outbox.publish(happened("a", 3))
    outbox.tenant.query("UPDATE outbox SET created_at = created_at - interval '8 days'")
    await outbox.publish(happened("a", 4))
    await delete_old_events(outbox.database, [Happened], timedelta(days=7))
    assert outbox.tenant.query("SELECT payload ->> 'number' FROM outbox ORDER BY id") == [("2",), ("3",), ("4",)]
