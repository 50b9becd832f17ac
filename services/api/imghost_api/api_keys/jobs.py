"""Background jobs of API keys."""

from collections.abc import Sequence
from functools import partial

from imghost_api.api_keys import queries
from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.jobs.job import PeriodicJob
from imghost_api.worker_context import WorkerContext


def jobs(context: WorkerContext) -> Sequence[PeriodicJob]:
    """Every job of this feature."""
    return [PeriodicJob("fold_rate_windows", "*/15 * * * *", partial(fold_rate_windows, context.database))]


async def fold_rate_windows(database: Database) -> None:
    """Delete the rate windows of past hours, adding their counts to the keys."""
    async with all_workspaces(database) as session:
        await queries.fold_rate_windows(session)
