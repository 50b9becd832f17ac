"""Background jobs of sign-in."""

from datetime import timedelta
from functools import partial

from imghost_api.accounts.sessions import queries
from imghost_api.context import AppContext
from imghost_api.db.engine import ALL_WORKSPACES, Database


def register_jobs(context: AppContext) -> None:
    """Schedule every job of this feature."""
    window = timedelta(seconds=context.settings.login_window_seconds)
    context.jobs.every(
        "*/15 * * * *", "delete_expired_login_attempts", partial(delete_expired_attempts, context.database, window)
    )


async def delete_expired_attempts(database: Database, window: timedelta) -> None:
    """Delete the counters of sign-in attempts whose window has ended."""
    async with database.transaction(ALL_WORKSPACES) as session:
        await queries.delete_expired_attempts(session, window)
