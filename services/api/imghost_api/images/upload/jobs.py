"""Background jobs of upload. Each is safe to repeat."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final
from uuid import UUID

from imghost_api.clock import Clock
from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.images.queries import find_existing
from imghost_api.jobs.job import PeriodicJob
from imghost_api.metrics import WorkerMetrics
from imghost_api.worker_context import WorkerContext
from imghost_core import logs, object_keys
from imghost_core.objects.base import ObjectStore

BATCH: Final = 5_000
_KEY_PARTS: Final = 4  # w / workspace / image / …
_log = logs.get("imghost.upload")


def jobs(context: WorkerContext) -> Sequence[PeriodicJob]:
    """Every job of this feature."""
    grace = timedelta(seconds=context.settings.orphan_grace_seconds)
    sweep = OrphanSweep(context.database, context.store, context.metrics, context.clock, grace)
    return [PeriodicJob("sweep_orphans", "7 * * * *", sweep.run)]


@dataclass(frozen=True, slots=True)
class OrphanSweep:
    """Deletes objects without a row, which interrupted uploads leave; `grace` is longer than any upload can run."""

    database: Database
    store: ObjectStore
    metrics: WorkerMetrics
    clock: Clock
    grace: timedelta

    async def run(self) -> int:
        """Delete the orphaned objects; returns the number of images they belonged to."""
        oldest = self.clock() - self.grace
        aged = [image async for image in self._list_aged_images(oldest)]
        deleted = 0
        remaining = iter(aged)
        while batch := list(islice(remaining, BATCH)):
            async with all_workspaces(self.database) as session:
                existing = await find_existing(session, [image for _, image in batch])
            for workspace, image in batch:
                if image not in existing:
                    await self.store.delete_prefix(object_keys.image_prefix(workspace, image))
                    deleted += 1
        if deleted:
            self.metrics.orphans.inc(deleted)
            _log.info("orphaned objects deleted", images=deleted)
        return deleted

    async def _list_aged_images(self, oldest: datetime) -> AsyncIterator[tuple[UUID, UUID]]:
        """Workspace and id of every image whose objects are all older than `oldest`."""
        newest: dict[tuple[UUID, UUID], datetime] = {}
        async for info in self.store.list("w/"):
            parts = info.key.split("/")
            if len(parts) < _KEY_PARTS:
                continue
            try:
                image = (UUID(parts[1]), UUID(parts[2]))
            except ValueError:
                continue
            newest[image] = max(info.modified, newest.get(image, info.modified))
        for image, modified in newest.items():
            if modified < oldest:
                yield image
