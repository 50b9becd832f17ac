"""What events cost: publishing them, and delivering a backlog. Run: `python -m imghost_dev bench-events`.

It starts a PostgreSQL of its own, durable as in production, and a dispatcher in this process.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import text

from imghost_api.db.engine import Database, Session
from imghost_api.events.dispatcher import Dispatcher
from imghost_api.events.event import Event, Subscriber, on
from imghost_api.events.outbox import publish
from imghost_api.metrics import EventMetrics
from imghost_api.migrate import migrate
from imghost_api.settings import MigrateSettings
from imghost_core import metrics
from imghost_core.ids import uuid7
from imghost_core.settings import DatabaseSettings
from imghost_local import pginstall
from imghost_local.postgres import EmbeddedPostgres

SUBJECTS = 50
WORKSPACE = uuid7()
PASSWORD = "bench"


class Measured(Event):
    """An event that says when it happened."""

    type: ClassVar[str] = "bench.measured"

    image_id: UUID
    number: int

    @property
    def subject(self) -> str:
        return f"image/{self.image_id}"


async def count(session: Session, event: Measured) -> None:
    """An effect in the database, as a subscriber has."""
    await session.execute(text("UPDATE bench SET events = events + 1 WHERE id = :id"), {"id": event.number % SUBJECTS})


def main(arguments: Sequence[str]) -> None:
    """Print the figures as a table."""
    parser = argparse.ArgumentParser(prog="python -m imghost_dev bench-events", description=__doc__)
    parser.add_argument("--events", type=int, default=2000, help="how many events to deliver (default 2000)")
    events = parser.parse_args(arguments).events
    with tempfile.TemporaryDirectory(prefix="imghost-bench-") as folder:
        data = pginstall.home(Path(folder) / "server")
        try:
            rows = asyncio.run(measure(data, events))
        finally:
            shutil.rmtree(data, ignore_errors=True)
    print("| what | figure |\n|---|---|")
    print("\n".join(f"| {what} | {figure} |" for what, figure in rows))


async def measure(folder: Path, events: int) -> list[tuple[str, str]]:
    server = EmbeddedPostgres(folder)
    await server.start()
    try:
        settings = prepare(server)
        database = Database.open(settings)
        try:
            return [*await publishing(database, events), *await delivering(settings, database, events)]
        finally:
            await database.close()
    finally:
        await server.stop()


def prepare(server: EmbeddedPostgres) -> DatabaseSettings:
    """A migrated database; the settings of its api role."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        for role in ("owner", "api", "imaging"):
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), PASSWORD))
        admin.execute("CREATE DATABASE bench OWNER owner")
    owner, api = (f"postgresql://{role}:{PASSWORD}@127.0.0.1:{server.port}/bench" for role in ("owner", "api"))
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench (id int PRIMARY KEY, events int)")
        connection.execute("INSERT INTO bench SELECT n, 0 FROM generate_series(0, %s) n", [SUBJECTS])
    migrate(MigrateSettings(database_url=owner, api_role="api", imaging_role="imaging"), "pre")
    return DatabaseSettings(database_url=api, database_pool_size=20)


async def publishing(database: Database, events: int) -> list[tuple[str, str]]:
    """A transaction with one change, with and without an event; then a backlog for `delivering`."""
    subjects = [uuid7() for _ in range(SUBJECTS)]

    async def change(number: int, *, published: bool) -> float:
        began = time.perf_counter()
        async with database.transaction(WORKSPACE) as session:
            await session.execute(text("UPDATE bench SET events = 0 WHERE id = :id"), {"id": number % SUBJECTS})
            if published:
                event = Measured(workspace_id=WORKSPACE, image_id=subjects[number % SUBJECTS], number=number)
                await publish(session, event)
        return (time.perf_counter() - began) * 1000

    without, with_event = [], []
    for number in range(events):  # by turns, so that both meet the same disturbances
        without.append(await change(number, published=False))
        with_event.append(await change(number, published=True))
    median, more = statistics.median(without), statistics.median(with_event)
    return [
        ("a transaction with one change, p50", f"{median:.2f} ms"),
        ("the same that publishes an event, p50", f"{more:.2f} ms (+{more - median:.2f} ms)"),
    ]


async def delivering(settings: DatabaseSettings, database: Database, events: int) -> list[tuple[str, str]]:
    """The backlog, to one subscriber and then to four more, by one dispatcher; then single events."""
    rows = []
    for subscribers in (1, 5):
        names = [f"bench-{number}" for number in range(subscribers)]
        began = time.perf_counter()
        await deliver_all(settings, database, names)
        rate = events * (1 if subscribers == 1 else 4) / (time.perf_counter() - began)
        rows.append((f"deliveries of a backlog, {subscribers} subscriber(s), one worker", f"{rate:.0f} a second"))
    return [*rows, await latency(settings, database)]


async def deliver_all(settings: DatabaseSettings, database: Database, names: list[str]) -> None:
    dispatcher = Dispatcher(
        settings, database, event_metrics(), [Subscriber.to(name, on(Measured, count)) for name in names]
    )
    async with dispatcher.running(grace=5):
        while await pending(database, len(names)):  # noqa: ASYNC110 - the database is asked
            await asyncio.sleep(0.02)


async def pending(database: Database, subscribers: int) -> bool:
    """Whether some subscriber is not known yet or has not received all."""
    async with database.transaction(WORKSPACE) as session:
        known = await session.scalar(text("SELECT count(*) FROM event_subscriptions"))
        left = await session.scalar(
            text("SELECT EXISTS (SELECT FROM event_deliveries) OR EXISTS (SELECT FROM outbox WHERE NOT routed)")
        )
    return bool(left) or known != subscribers


async def latency(settings: DatabaseSettings, database: Database) -> tuple[str, str]:
    """From the commit of a single event to the call of its handler."""
    arrived = asyncio.Event()

    async def arrive(_: Session, __: Measured) -> None:
        arrived.set()

    times = []
    dispatcher = Dispatcher(settings, database, event_metrics(), [Subscriber.to("bench-0", on(Measured, arrive))])
    async with dispatcher.running(grace=5):
        for number in range(101):
            arrived.clear()
            async with database.transaction(WORKSPACE) as session:
                await publish(session, Measured(workspace_id=WORKSPACE, image_id=uuid7(), number=number))
            began = time.perf_counter()
            await arrived.wait()
            times.append((time.perf_counter() - began) * 1000)
    times = sorted(times[1:])  # the first one waits for the dispatcher to listen
    return "from the commit of an event to its handler, p50 / p95", f"{times[50]:.1f} / {times[95]:.1f} ms"


def event_metrics() -> EventMetrics:
    return EventMetrics(metrics.new_registry())
