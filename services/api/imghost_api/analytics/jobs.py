"""Background jobs of analytics. Each is safe to repeat."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from imghost_api.analytics import queries
from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.jobs.job import PeriodicJob
from imghost_api.worker_context import WorkerContext

BATCH: Final = 5_000


def jobs(context: WorkerContext) -> Sequence[PeriodicJob]:
    """Every job of this feature."""
    retention = timedelta(days=context.settings.analytics_retention_days)
    return [
        PeriodicJob("roll_up_views", "* * * * *", partial(roll_up_views, context.database)),
        PeriodicJob("delete_expired_views", "11 * * * *", partial(delete_expired_views, context.database, retention)),
    ]


async def roll_up_views(database: Database) -> None:
    """Add the view events since the last run to images and days, one batch per transaction."""
    counted = BATCH
    while counted == BATCH:
        async with all_workspaces(database) as session:
            counted = await queries.roll_up_views(session, BATCH)


async def delete_expired_views(database: Database, retention: timedelta) -> None:
    """Delete counted view events older than `retention`, one batch per transaction."""
    deleted = BATCH
    while deleted == BATCH:
        async with all_workspaces(database) as session:
            deleted = await queries.delete_expired_views(session, retention, BATCH)
