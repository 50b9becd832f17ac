"""Transactions across all workspaces: the only module that opens them, and an import contract names who may use it.

They are for what belongs to no workspace yet (a credential that is being checked, an account that is being created) and
for jobs and events, which serve all of them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from imghost_api.db.engine import Database, Session

_ALL = text("SELECT set_config('imghost.all_workspaces', 'on', true)")


@asynccontextmanager
async def all_workspaces(database: Database) -> AsyncIterator[Session]:
    """One transaction that sees the rows of every workspace: committed at the end, else rolled back.

    Raises `Unavailable` when the database is out of reach.
    """
    async with database.begin() as session:
        await session.execute(_ALL)
        yield session
