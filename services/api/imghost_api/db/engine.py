"""Transactions: each sees the rows of one workspace, and row-level security holds it to that.

One convention for the whole api: a route's transaction is a dependency (`WorkspaceSession` or `UserSession` of
`access.deps`), committed before the response is sent; services and queries get that session and neither open nor commit
one. What cannot be one transaction (an upload, whose bytes are received in between; a check of credentials, which must
hold no lock while the request is handled; jobs, in batches) opens its own, as short as possible. Transactions across
workspaces are opened by `db.system` only.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DataError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from imghost_core.database import create_engine, unavailable_when_down
from imghost_core.errors import InvalidRequest
from imghost_core.settings import DatabaseSettings

Session = AsyncSession

_WORKSPACE = text("SELECT set_config('imghost.workspace', :workspace, true)")


class Database:
    """The api's connection pool, handed out as scoped transactions."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, settings: DatabaseSettings, *, application: str = "imghost-api") -> "Database":
        """A database that connects on first use."""
        return cls(create_engine(settings, application=application))

    @asynccontextmanager
    async def transaction(self, workspace_id: UUID) -> AsyncIterator[Session]:
        """One transaction that sees the rows of one workspace: committed at the end, else rolled back.

        Raises `Unavailable` when the database is out of reach.
        """
        async with self.begin() as session:
            await session.execute(_WORKSPACE, {"workspace": str(workspace_id)})
            yield session

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Session]:
        """A transaction that sees the rows of no workspace. Raises `Unavailable` when the database is out of reach."""
        async with (
            unavailable_when_down(),
            _invalid_when_not_text(),
            AsyncSession(self._engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    async def check(self) -> None:
        """Raise `Unavailable` unless the database answers."""
        async with unavailable_when_down(), self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def revision(self) -> str | None:
        """The schema's revision; None when no migration has run."""
        async with unavailable_when_down(), self._engine.connect() as connection:
            if await connection.scalar(text("SELECT to_regclass('public.alembic_version')")) is None:
                return None
            found: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


@asynccontextmanager
async def _invalid_when_not_text() -> AsyncIterator[None]:
    """Turn text that the driver cannot send (NUL, unpaired surrogates) into a 400: only a client can have sent it."""
    try:
        yield
    except (DataError, UnicodeEncodeError) as error:
        if isinstance(error, DataError) and getattr(error.orig, "sqlstate", None) is not None:
            raise  # the server rejected a value of this code
        raise InvalidRequest(
            "The request contains a NUL character or an unpaired surrogate, which is not text. Remove it."
        ) from error
