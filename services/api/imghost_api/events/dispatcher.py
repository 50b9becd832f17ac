"""From the outbox to every subscriber; any number of workers may run one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from imghost_api.db.engine import Database
from imghost_api.db.notifications import listen
from imghost_api.db.system import all_workspaces
from imghost_api.events import queries
from imghost_api.events.delivery import Delivery, Patience
from imghost_api.events.event import Subscriber
from imghost_api.events.outbox import CHANNEL
from imghost_api.events.wakeup import Wakeup
from imghost_api.metrics import EventMetrics
from imghost_core import logs
from imghost_core.errors import ImghostError
from imghost_core.settings import DatabaseSettings

_BATCH: Final = 500
_POLL_SECONDS: Final = 2.0
_MEASURE_SECONDS: Final = 15.0
_OUTAGE_SECONDS: Final = 2.0
_log = logs.get("imghost.events")


class Dispatcher:
    """Routes new events to their subscribers and delivers them."""

    def __init__(
        self,
        settings: DatabaseSettings,
        database: Database,
        metrics: EventMetrics,
        subscribers: Sequence[Subscriber],
        *,
        concurrency: int = 2,
        poll: float = _POLL_SECONDS,
        patience: Patience | None = None,
    ) -> None:
        self._settings, self._database, self._metrics, self._poll = settings, database, metrics, poll
        self._subscribers, self._wakeup = subscribers, Wakeup()
        self._deliveries = [
            Delivery(database, metrics, subscriber, concurrency=concurrency, poll=poll, patience=patience or Patience())
            for subscriber in subscribers
        ]

    @asynccontextmanager
    async def running(self, *, grace: float) -> AsyncIterator[None]:
        """Dispatch in the background until left. An event under way is then delivered again by another worker."""
        running = asyncio.create_task(self._keep_running(), name="events")
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait({running}, timeout=grace)

    async def _keep_running(self) -> None:
        while True:
            try:
                await self.run()
            except Exception as error:  # noqa: BLE001 - whatever ended the dispatcher, events must go on
                _log.exception("the dispatcher starts again", reason=type(error).__name__)
            await asyncio.sleep(_OUTAGE_SECONDS)

    async def run(self) -> None:
        """Dispatch until cancelled; outages of the database are waited out."""
        await _persist(self.subscribe, pause=None)
        async with asyncio.TaskGroup() as group:
            group.create_task(listen(self._settings, CHANNEL, self._hear))
            group.create_task(self._route_loop())
            group.create_task(_persist(self.measure, pause=_MEASURE_SECONDS))
            for delivery in self._deliveries:
                group.create_task(delivery.run())

    async def subscribe(self) -> None:
        """Make our subscribers known: from now on, events are kept for them whether or not they run."""
        for subscriber in self._subscribers:
            async with all_workspaces(self._database) as session:
                await queries.subscribe(session, subscriber.name, subscriber.subscriptions)

    async def route(self) -> bool:
        """List the deliveries of one batch of new events; returns whether there may be more."""
        async with all_workspaces(self._database) as session:
            routed = await queries.route(session, _BATCH)
        if routed:
            self._wake()
        return routed == _BATCH

    async def measure(self) -> None:
        """Refresh the figures of what is pending."""
        async with all_workspaces(self._database) as session:
            figures = await queries.figures(session)
            count, age = await queries.unrouted(session)
        for name, found in figures.items():
            self._metrics.pending.labels(name).set(found.pending)
            self._metrics.dead.labels(name).set(found.dead)
            self._metrics.lag.labels(name).set(found.lag_seconds)
        self._metrics.unrouted.set(count)
        self._metrics.unrouted_age.set(age)

    async def _route_loop(self) -> None:
        while True:
            try:
                if not await self.route():
                    await self._wakeup.wait(self._poll)
            except ImghostError as error:
                _log.warning("events are not routed", reason=error.code)
                await asyncio.sleep(_OUTAGE_SECONDS)

    def _hear(self, payload: str) -> None:
        if payload == "published":
            self._wakeup.set()
        else:
            self._wake()

    def _wake(self) -> None:
        for delivery in self._deliveries:
            delivery.wakeup.set()


async def _persist(work: Callable[[], Awaitable[None]], *, pause: float | None) -> None:
    """Do it, again after an outage and, with a `pause`, for as long as the process runs."""
    while True:
        try:
            await work()
        except ImghostError as error:
            _log.warning("the database is away; trying again", reason=error.code)
            await asyncio.sleep(_OUTAGE_SECONDS)
        else:
            if pause is None:
                return
            await asyncio.sleep(pause)
