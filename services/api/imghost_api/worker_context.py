"""What a worker holds open, from start to stop."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from imghost_api.clock import Clock, utc_now
from imghost_api.db.engine import Database
from imghost_api.metrics import WorkerMetrics
from imghost_api.settings import WorkerSettings
from imghost_core.objects.base import ObjectStore
from imghost_core.objects.open import open_store


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The shared parts of a worker. Features take it apart: jobs get only the parts they use."""

    settings: WorkerSettings
    metrics: WorkerMetrics
    database: Database
    store: ObjectStore
    clock: Clock


@asynccontextmanager
async def open_worker_context(
    settings: WorkerSettings, registry: CollectorRegistry, *, connections: int
) -> AsyncIterator[WorkerContext]:
    """Open everything, with up to `connections` to the database; nothing is contacted yet."""
    async with AsyncExitStack() as stack:
        database = Database.open(
            settings.model_copy(update={"database_pool_size": connections}), application="imghost-worker"
        )
        store = open_store(settings)
        stack.push_async_callback(database.close)
        stack.push_async_callback(store.close)
        yield WorkerContext(
            settings=settings,
            metrics=WorkerMetrics(registry),
            database=database,
            store=store,
            clock=utc_now,
        )
