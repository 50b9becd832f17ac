"""Transactions: every one says whose rows it may see, and row-level security holds it to that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from imghost_core.database import create_engine, unavailable_when_down
from imghost_core.settings import DatabaseSettings

ALL_WORKSPACES: Final = "all workspaces"
Scope = UUID | Literal["all workspaces"]
Session = AsyncSession

_SCOPE = text(
    "SELECT set_config('imghost.workspace', :workspace, true), set_config('imghost.all_workspaces', :all, true)"
)


class Database:
    """The api's connection pool, handed out as scoped transactions."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, settings: DatabaseSettings, *, application: str = "imghost-api") -> "Database":
        """A database that connects on first use."""
        return cls(create_engine(settings, application=application))

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator[Session]:
        """One transaction that sees the rows of one workspace, or of all: committed at the end, else rolled back.

        Raises `Unavailable` when the database is out of reach.
        """
        async with (
            unavailable_when_down(),
            AsyncSession(self._engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            await enter(session, scope)
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


async def enter(session: Session, scope: Scope) -> None:
    """Set, until the transaction ends, whose rows `session` may see."""
    everything = scope == ALL_WORKSPACES
    await session.execute(_SCOPE, {"workspace": "" if everything else str(scope), "all": "on" if everything else ""})
