"""Background jobs of sign-in."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from imghost_api.accounts.sessions import queries
from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.jobs.job import PeriodicJob
from imghost_api.worker_context import WorkerContext

_LONGEST_WINDOW: Final = timedelta(days=1)  # that LOGIN_WINDOW_SECONDS can be set to
_ADDRESS_RETENTION: Final = timedelta(days=180)


def jobs(context: WorkerContext) -> Sequence[PeriodicJob]:
    """Every job of this feature."""
    return [
        PeriodicJob(
            "delete_expired_login_attempts", "*/15 * * * *", partial(delete_expired_attempts, context.database)
        ),
        PeriodicJob("delete_unused_addresses", "23 3 * * *", partial(delete_unused_addresses, context.database)),
    ]


async def delete_expired_attempts(database: Database) -> None:
    """Delete the counters of sign-in attempts that no window covers."""
    async with all_workspaces(database) as session:
        await queries.delete_expired_attempts(session, _LONGEST_WINDOW)


async def delete_unused_addresses(database: Database) -> None:
    """Delete the addresses that no account has signed in from for half a year."""
    async with all_workspaces(database) as session:
        await queries.delete_unused_addresses(session, _ADDRESS_RETENTION)
