"""Background jobs of analytics. Each is safe to repeat."""

from datetime import timedelta
from functools import partial
from typing import Final

from imghost_api.analytics import queries
from imghost_api.context import AppContext
from imghost_api.db.engine import ALL_WORKSPACES, Database

BATCH: Final = 5_000


def register_jobs(context: AppContext) -> None:
    """Schedule every job of this feature."""
    retention = timedelta(days=context.settings.analytics_retention_days)
    context.jobs.every("* * * * *", "roll_up_views", partial(roll_up_views, context.database))
    context.jobs.every(
        "*/15 * * * *", "delete_expired_views", partial(delete_expired_views, context.database, retention)
    )


async def roll_up_views(database: Database) -> None:
    """Add the view events since the last run to images and days, one batch per transaction."""
    counted = BATCH
    while counted == BATCH:
        async with database.transaction(ALL_WORKSPACES) as session:
            counted = await queries.roll_up_views(session, BATCH)


async def delete_expired_views(database: Database, retention: timedelta) -> None:
    """Delete counted view events older than `retention`."""
    async with database.transaction(ALL_WORKSPACES) as session:
        await queries.delete_expired_views(session, retention)
