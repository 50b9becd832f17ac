"""Background jobs of API keys."""

from functools import partial

from imghost_api.api_keys import queries
from imghost_api.context import AppContext
from imghost_api.db.engine import ALL_WORKSPACES, Database


def register_jobs(context: AppContext) -> None:
    """Schedule every job of this feature."""
    context.jobs.every("*/15 * * * *", "fold_rate_windows", partial(fold_rate_windows, context.database))


async def fold_rate_windows(database: Database) -> None:
    """Delete the rate windows of past hours, adding their counts to the keys."""
    async with database.transaction(ALL_WORKSPACES) as session:
        await queries.fold_rate_windows(session)
