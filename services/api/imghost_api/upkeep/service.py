"""The background jobs. Each may be run again at any time."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Final
from uuid import UUID

from imghost_api.context import Resources
from imghost_api.db.engine import ALL_WORKSPACES
from imghost_api.images.library.service import DELETE_OBJECTS
from imghost_api.upkeep import queries
from imghost_core import keys, logs
from imghost_core.objects.base import ObjectStore

BATCH: Final = 5_000
_KEY_PARTS: Final = 4  # w / workspace / image / …
_log = logs.get("imghost.upkeep")


def register(resources: Resources) -> None:
    """Name every job and say when it runs."""
    jobs = resources.jobs
    jobs.on(DELETE_OBJECTS, partial(delete_objects, resources))
    jobs.every("* * * * *", "roll_up_views", partial(roll_up_views, resources))
    jobs.every("*/15 * * * *", "drop_expired", partial(drop_expired, resources))
    jobs.every("7 * * * *", "sweep_orphans", partial(sweep_orphans, resources))


async def delete_objects(resources: Resources, *, workspace: str, image: str) -> None:
    """Remove the objects of a deleted picture."""
    async with resources.database.transaction(ALL_WORKSPACES) as session:
        if await queries.is_live(session, UUID(image)):
            return
    await resources.store.delete_prefix(keys.image_prefix(UUID(workspace), UUID(image)))


async def roll_up_views(resources: Resources) -> None:
    """Add the views since last time to pictures and days, a batch a transaction."""
    counted = BATCH
    while counted == BATCH:
        async with resources.database.transaction(ALL_WORKSPACES) as session:
            counted = await queries.roll_up_views(session, BATCH)


async def drop_expired(resources: Resources) -> None:
    """Remove rows whose time is over."""
    settings = resources.settings
    async with resources.database.transaction(ALL_WORKSPACES) as session:
        await queries.fold_rate_windows(session)
        await queries.drop_expired(
            session,
            events=timedelta(days=settings.analytics_retention_days),
            attempts=timedelta(seconds=settings.login_window_seconds),
        )


async def sweep_orphans(resources: Resources) -> int:
    """Remove objects that no picture owns and that are older than any upload can run; returns of how many images."""
    oldest = resources.clock() - timedelta(seconds=resources.settings.orphan_grace_seconds)
    aged = [found async for found in _aged_images(resources.store, oldest)]
    removed = 0
    remaining = iter(aged)
    while batch := list(islice(remaining, BATCH)):
        async with resources.database.transaction(ALL_WORKSPACES) as session:
            live = await queries.live_images(session, [image for _, image in batch])
        for workspace, image in batch:
            if image not in live:
                await resources.store.delete_prefix(keys.image_prefix(workspace, image))
                removed += 1
    if removed:
        resources.metrics.orphans.inc(removed)
        _log.info("orphans removed", images=removed)
    return removed


async def _aged_images(store: ObjectStore, oldest: datetime) -> AsyncIterator[tuple[UUID, UUID]]:
    """Workspace and id of every image whose objects are all older than `oldest`."""
    newest: dict[tuple[UUID, UUID], datetime] = {}
    async for info in store.list("w/"):
        parts = info.key.split("/")
        if len(parts) < _KEY_PARTS:
            continue
        try:
            owner = (UUID(parts[1]), UUID(parts[2]))
        except ValueError:
            continue
        newest[owner] = max(info.modified, newest.get(owner, info.modified))
    for owner, modified in newest.items():
        if modified < oldest:
            yield owner
