"""What the api and the worker do before they serve."""

import asyncio
import logging
import sys
import time
from typing import Final

from imghost_api.db.engine import Database
from imghost_api.db.schema import OutdatedSchema, require_current
from imghost_core import logs
from imghost_core.errors import Unavailable
from imghost_core.settings import DatabaseSettings, ServerSettings

_START_SECONDS: Final = 60.0
_START_PAUSE: Final = 0.5
_QUIET_LIBRARIES: Final = ("httpx", "urllib3", "procrastinate", "psycopg.pool", "alembic")
_log = logs.get("imghost.api")


def prepare(service: str, program: str, settings: ServerSettings, database: DatabaseSettings) -> None:
    """Set up logs and wait for a database with the schema this release needs; ends with one line when it has not."""
    logs.configure(service, level=settings.log_level, console=settings.log_format == "console")
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        asyncio.run(wait_for_schema(database))
    except (OutdatedSchema, Unavailable) as error:
        sys.exit(f"{program}: {error}")


async def wait_for_schema(settings: DatabaseSettings, *, within: float = _START_SECONDS) -> None:
    """Wait for the database, up to `within` seconds, and raise `OutdatedSchema` unless its schema is ours."""
    database, deadline = Database.open(settings), time.monotonic() + within
    try:
        while True:
            try:
                await require_current(database)
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                _log.info("waiting for the database")
                await asyncio.sleep(_START_PAUSE)
            else:
                return
    finally:
        await database.close()
