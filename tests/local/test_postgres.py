"""The embedded PostgreSQL."""

import asyncio
import os
import signal
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from imghost_local import pginstall
from imghost_local.errors import UserError
from imghost_local.postgres import EmbeddedPostgres
from support.eventually import eventually

pytestmark = pytest.mark.services


@asynccontextmanager
async def running(server: EmbeddedPostgres) -> AsyncIterator[EmbeddedPostgres]:
    await server.start()
    keeper = asyncio.create_task(server.keep_running())
    try:
        yield server
    finally:
        keeper.cancel()
        await server.stop()


async def ask(url: str, question: str) -> object:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        response = await connection.execute(question)  # type: ignore[arg-type]
        found = await response.fetchone() if response.description else None
        return found[0] if found else None


async def test_the_server_is_private_and_durable(folder: Path) -> None:
    """PostgreSQL 18 on loopback only, with a password that SCRAM checks, checksums and fsync on, no socket file."""
    async with running(EmbeddedPostgres(folder / "postgres")) as server:
        assert str(await ask(server.url, "SHOW server_version")).startswith("18.")
        settings = ("listen_addresses", "unix_socket_directories", "password_encryption", "fsync", "data_checksums")
        found = [await ask(server.url, f"SHOW {name}") for name in settings]
        assert found == ["127.0.0.1", "", "scram-sha-256", "on", "on"]
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await ask(f"postgresql://imghost_admin:wrong@127.0.0.1:{server.port}/postgres", "SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            await ask(f"postgresql://imghost_admin@127.0.0.1:{server.port}/postgres", "SELECT 1")
        assert stat.S_IMODE((folder / "postgres").stat().st_mode) == 0o700
        assert server.pid is not None
        assert os.stat(f"/proc/{server.pid}").st_uid != 0  # noqa: PTH116


async def test_a_killed_server_comes_back_with_what_was_committed(folder: Path) -> None:
    """After `kill -9` it is started again, at the same address, and has everything that was committed."""
    async with running(EmbeddedPostgres(folder / "postgres")) as server:
        await ask(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        before = server.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)

        async def answered() -> bool:
            return await ask(server.url, "SELECT answer FROM kept") == 42

        await eventually(answered, 15, "PostgreSQL is back", ignoring=(psycopg.OperationalError,))
        assert server.pid != before


async def test_data_and_password_are_kept_over_a_restart(folder: Path) -> None:
    """A second start takes the data folder that is there."""
    first = EmbeddedPostgres(folder / "postgres", durable=False)
    async with running(first):
        await ask(first.url, "CREATE TABLE kept AS SELECT 1 AS one")
    async with running(EmbeddedPostgres(folder / "postgres", port=first.port, durable=False)) as second:
        assert second.url == first.url
        assert await ask(second.url, "SELECT one FROM kept") == 1


async def test_a_port_that_is_taken_is_reported_with_the_servers_message(folder: Path) -> None:
    """When the server cannot start, the error has its last words and where all of them are."""
    async with running(EmbeddedPostgres(folder / "one", durable=False)) as one:
        other = EmbeddedPostgres(folder / "two", port=one.port, durable=False)
        with pytest.raises(UserError, match=r"ended while starting: .*server\.log"):
            await other.start()
        await other.stop()


def test_data_of_another_version_is_refused_with_advice() -> None:
    """Data of a version that the wheel does not carry is not touched; the message says what to do."""
    with pytest.raises(UserError, match=r"needs PostgreSQL 9; .*imghost reset"):
        pginstall.programs(9)


def test_its_folder_moves_only_when_its_user_could_not_enter(folder: Path) -> None:
    """Data stays in the project unless root's unprivileged server could not get there."""
    closed = Path(tempfile.mkdtemp(dir=folder))
    assert pginstall.home(folder / "postgres") == folder / "postgres"
    moved = pginstall.home(closed / "postgres")
    assert (moved == closed / "postgres") == (pginstall.account() is None)
