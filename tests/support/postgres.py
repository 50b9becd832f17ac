"""A real PostgreSQL 18 server for tests: the one that the product embeds."""

import asyncio
import secrets
import subprocess
from collections.abc import Coroutine
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from imghost_local import pginstall
from imghost_local.postgres import EmbeddedPostgres
from support.processes import HOST


class Postgres:
    """PostgreSQL on a loopback port with password authentication, its data in a folder that belongs to the caller.

    Attributes: `host`, `port`, `version`. Usable from any event loop or none.
    """

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedPostgres(folder / "server", durable=False)
        self.log = self._server.log
        self.host, self.port, self.version = HOST, self._server.port, _version()

    @property
    def admin_url(self) -> str:
        """The superuser's address, of the database `postgres`."""
        return self._server.url

    def start(self) -> None:
        """Serve, at the same address and with the same data as before a `stop`."""
        _run(self._server.start())

    def stop(self) -> None:
        """End all sessions and the server; the data stays."""
        _run(self._server.stop())

    async def create_database(self) -> str:
        """Create an empty database with a name of its own, owned by the superuser, and return the name."""
        name = f"test_{secrets.token_hex(6)}"
        async with await psycopg.AsyncConnection.connect(self.admin_url, autocommit=True) as connection:
            await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def url(self, database: str) -> str:
        """The superuser's address of a database."""
        parts = conninfo_to_dict(self.admin_url)
        return f"postgresql://{parts['user']}:{parts['password']}@{self.host}:{self.port}/{database}"


def _version() -> str:
    text = subprocess.run([pginstall.programs() / "postgres", "--version"], capture_output=True, text=True, check=True)
    return text.stdout.split()[-1]


def _run(work: Coroutine[None, None, None]) -> None:
    """Run to the end in a loop of its own, without becoming the thread's current loop, which belongs to the test."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(work)
