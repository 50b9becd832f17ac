"""Connections to PostgreSQL. Every engine is created here, so that limits and timeouts apply everywhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from imghost_core.errors import Unavailable
from imghost_core.settings import DatabaseSettings


def create_engine(settings: DatabaseSettings, *, application: str) -> AsyncEngine:
    """An engine for `settings`; connects on first use. Close it with `await engine.dispose()`."""
    url = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    return create_async_engine(
        url,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_timeout_seconds,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": max(1, int(settings.database_timeout_seconds)),
            "application_name": application,
            "options": f"-c statement_timeout={settings.database_statement_timeout_ms} -c timezone=UTC",
            "prepare_threshold": None,  # safe behind a pooler in transaction mode
        },
    )


@asynccontextmanager
async def unavailable_when_down() -> AsyncIterator[None]:
    """Translate connection failures to `Unavailable`; other errors, such as constraint violations, pass through."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise Unavailable("The database is out of reach. Nothing was changed; try again shortly.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The database connection was lost. Try again shortly.") from error
        raise
