"""Hear what other transactions notify as they commit."""

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg
from psycopg import sql

from imghost_core import logs
from imghost_core.settings import DatabaseSettings

_CHECK_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 5.0
_log = logs.get("imghost.database")


async def listen(settings: DatabaseSettings, channel: str, heard: Callable[[str], None]) -> None:
    """Call `heard` with the payload of each notification until cancelled; connects again whenever it has to.

    Notifications sent while there is no connection are missed, so callers need to look by themselves as well.
    """
    while True:
        try:
            await _listen(settings, channel, heard)
        except (psycopg.Error, TimeoutError) as error:
            _log.warning("not listening; polling until connected again", channel=channel, reason=type(error).__name__)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _listen(settings: DatabaseSettings, channel: str, heard: Callable[[str], None]) -> None:
    async with await psycopg.AsyncConnection.connect(
        settings.database_url.get_secret_value(),
        autocommit=True,
        connect_timeout=max(1, int(settings.database_timeout_seconds)),
        application_name="imghost-worker-events",
    ) as connection:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        while True:
            async for notification in connection.notifies(timeout=_CHECK_SECONDS):
                heard(notification.payload)
            async with asyncio.timeout(settings.database_timeout_seconds):  # does the other end still answer?
                await connection.execute("SELECT 1")
