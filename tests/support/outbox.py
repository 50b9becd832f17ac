"""Events for tests: a subscriber that keeps what it received in a table, in the transaction of the delivery."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Self
from uuid import UUID

from psycopg import sql
from sqlalchemy import text

from imghost_api.db.engine import Database, Session
from imghost_api.events.delivery import Patience
from imghost_api.events.dispatcher import Dispatcher
from imghost_api.events.event import Event, Subscriber, on
from imghost_api.events.outbox import publish
from imghost_api.metrics import EventMetrics
from imghost_core import metrics
from imghost_core.ids import uuid7
from imghost_core.settings import DatabaseSettings
from support.api import TenantDatabase
from support.eventually import eventually

WORKSPACE = uuid7()
QUICK = Patience(seconds=5, attempts=3, first_pause=0.01)
Handle = Callable[[Session, "Happened"], Awaitable[object]]


class Happened(Event):
    """A numbered event of a subject."""

    type: ClassVar[str] = "test.happened"

    about: str
    number: int

    @property
    def subject(self) -> str:
        return f"test/{self.about}"


def happened(about: str, number: int, workspace: UUID = WORKSPACE) -> Happened:
    return Happened(workspace_id=workspace, about=about, number=number)


class Outbox:
    """A tenant's outbox, and what subscribers have received from it."""

    def __init__(self, tenant: TenantDatabase) -> None:
        self.tenant = tenant
        self.settings = DatabaseSettings(database_url=tenant.url("api"), database_pool_size=30)
        self.database = Database.open(self.settings)

    def prepare(self) -> None:
        """Make the table of what was received; nothing is in the outbox."""
        self.tenant.query("TRUNCATE outbox, event_subscriptions, event_deliveries")
        self.tenant.query("DROP TABLE IF EXISTS received")
        self.tenant.query("CREATE TABLE received (id bigserial, subscriber text, about text, number int)")
        role = sql.Identifier(self.tenant.role("api")).as_string()
        self.tenant.query(f"GRANT ALL ON received TO {role}")
        self.tenant.query(f"GRANT ALL ON SEQUENCE received_id_seq TO {role}")

    async def publish(self, *events: Event) -> None:
        async with self.database.transaction(events[0].workspace_id) as session:
            await publish(session, *events)

    def keep(self, name: str, before: Handle | None = None) -> Subscriber:
        """A subscriber that does `before`, then keeps the event."""

        async def handle(session: Session, event: Happened) -> None:
            if before:
                await before(session, event)
            await session.execute(
                text("INSERT INTO received (subscriber, about, number) VALUES (:subscriber, :about, :number)"),
                {"subscriber": name, "about": event.about, "number": event.number},
            )

        return Subscriber.to(name, on(Happened, handle))

    def received(self, subscriber: str, about: str | None = None) -> list[int]:
        """Numbers in the order of arrival."""
        rows = self.tenant.query(
            "SELECT number FROM received WHERE subscriber = %s AND about = coalesce(%s, about) ORDER BY id",
            subscriber,
            about,
        )
        return [number for (number,) in rows]

    def dispatcher(self, *subscribers: Subscriber, **options: Any) -> "Dispatching":
        return Dispatching(self, subscribers, {"poll": 0.05, "patience": QUICK, **options})


class Dispatching:
    """A dispatcher that runs until left; `metrics` are its own."""

    def __init__(self, outbox: Outbox, subscribers: tuple[Subscriber, ...], options: dict[str, Any]) -> None:
        self.metrics = EventMetrics(metrics.new_registry())
        settings = options.pop("settings", outbox.settings)
        database = options.pop("database", outbox.database)
        self.dispatcher = Dispatcher(settings, database, self.metrics, subscribers, **options)
        self._running: Any = None

    async def __aenter__(self) -> Self:
        self._running = self.dispatcher.running(grace=5)
        await self._running.__aenter__()
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self._running.__aexit__(None, None, None)


async def wait_for_lock(tenant: TenantDatabase, kind: str = "%") -> None:
    """Until a session of the api's role waits for a lock."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = %s AND wait_event LIKE %s"
    await eventually(lambda: tenant.query(waiting, tenant.role("api"), kind), why="a session waits for a lock")
