"""The long-lived parts of the imaging process, opened and closed in the public app's lifespan."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from imghost_core.database import create_engine
from imghost_core.fair_queue import FairQueue
from imghost_core.objects import ObjectStore, open_store
from imghost_core.settings import DatabaseSettings, StoreSettings
from imghost_core.web.request_rate import RequestRate
from imghost_imaging.catalog import Catalog
from imghost_imaging.deliver import Delivery
from imghost_imaging.ingest import Ingest
from imghost_imaging.memory_budget import MemoryBudget
from imghost_imaging.metadata.rule import MetadataRule
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.originals import Originals
from imghost_imaging.render.limits import Limits
from imghost_imaging.render_queue import RenderQueue
from imghost_imaging.renderer import Renderer
from imghost_imaging.sandbox.sandbox import Sandbox
from imghost_imaging.settings import ImagingSettings
from imghost_imaging.views import ViewBuffer


@dataclass(frozen=True, slots=True)
class ImagingContext:
    """The parts that routes use."""

    catalog: Catalog
    store: ObjectStore
    delivery: Delivery
    originals: Originals
    ingest: Ingest
    views: ViewBuffer
    rate: RequestRate
    lookups: FairQueue
    """At half of the connections to the database, in turn by address."""


@asynccontextmanager
async def open_context(
    settings: ImagingSettings,
    database: DatabaseSettings,
    storage: StoreSettings,
    metrics: ImagingMetrics,
    sandbox: Sandbox,
) -> AsyncIterator[ImagingContext]:
    """Open every part; database and store connect on first use. At the end, write waiting views and close all."""
    connections = create_engine(database, application="imghost-imaging")
    store = open_store(storage)
    queue = RenderQueue(settings.concurrency, settings.queue_per_slot, metrics, wait_seconds=settings.slot_wait_seconds)
    renderer = _open_renderer(settings, metrics, sandbox)
    rate = RequestRate(settings.requests_per_second_per_address, settings.requests_per_second_in_all)
    catalog = Catalog(connections)
    views = ViewBuffer(catalog.add_views, metrics)
    rule = MetadataRule(settings.metadata_policy, keep_copyright=settings.keep_copyright)
    ingest = Ingest(store, queue, renderer, metrics, rule, max_bytes=settings.max_input_bytes)
    writing = asyncio.create_task(views.run())
    try:
        delivery, originals = Delivery(store, queue, renderer, metrics), Originals(store, queue, rule)
        async with sandbox.opened():
            yield ImagingContext(catalog, store, delivery, originals, ingest, views, rate, _lookups(database, settings))
            await ingest.drain(settings.shutdown_grace_seconds)
    finally:
        views.stop()
        await writing
        queue.close()
        await store.close()
        await connections.dispose()


def _lookups(database: DatabaseSettings, settings: ImagingSettings) -> FairQueue:
    return FairQueue(
        max(1, database.database_pool_size // 2),
        per_source=settings.connections_per_address,
        total=settings.connections,
        rejection="Images cannot be found now: too many are asked for, or the database is slow. Retry shortly.",
    )


def _open_renderer(settings: ImagingSettings, metrics: ImagingMetrics, sandbox: Sandbox) -> Renderer:
    budget = MemoryBudget(settings.memory_budget)
    metrics.memory_budget.set(budget.total)
    metrics.memory_reserved.set_function(lambda: budget.reserved)
    bounds = Limits(pixels=settings.max_pixels, frames=settings.max_frames)
    return Renderer(
        sandbox,
        budget,
        settings.formats,
        bounds,
        metrics,
        seconds=settings.render_seconds,
    )
