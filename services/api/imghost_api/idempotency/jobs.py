"""Background jobs of idempotency keys."""

from functools import partial

from imghost_api.context import AppContext
from imghost_api.db.engine import ALL_WORKSPACES, Database
from imghost_api.idempotency import queries


def register_jobs(context: AppContext) -> None:
    """Schedule every job of this feature."""
    context.jobs.every(
        "*/15 * * * *", "delete_expired_idempotency_keys", partial(delete_expired_keys, context.database)
    )


async def delete_expired_keys(database: Database) -> None:
    """Delete the keys whose retention has ended."""
    async with database.transaction(ALL_WORKSPACES) as session:
        await queries.delete_expired_keys(session)
