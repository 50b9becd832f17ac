"""Background jobs of idempotency keys."""

from collections.abc import Sequence
from functools import partial

from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.idempotency import queries
from imghost_api.jobs.job import PeriodicJob
from imghost_api.worker_context import WorkerContext


def jobs(context: WorkerContext) -> Sequence[PeriodicJob]:
    """Every job of this feature."""
    return [
        PeriodicJob("delete_expired_idempotency_keys", "*/15 * * * *", partial(delete_expired_keys, context.database))
    ]


async def delete_expired_keys(database: Database) -> None:
    """Delete the keys whose retention has ended."""
    async with all_workspaces(database) as session:
        await queries.delete_expired_keys(session)
