"""Bounds of what the PostgreSQL backend waits for, and of what tenants may take."""

import asyncio
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from imghost_operator.errors import BackendDown
from imghost_operator.provision import database
from imghost_operator.provision.circuit_breaker import CircuitBreaker
from imghost_operator.provision.database import PostgresBackend, role_names
from support.databases import PASSWORDS, connect, scalar
from support.eventually import eventually
from support.forwarder import Forwarder
from support.postgres import Postgres


async def test_connections_are_limited(backend: PostgresBackend, tenant: str) -> None:
    """A tenant cannot take more connections of the shared server than its limit."""
    made = await backend.ensure(tenant, PASSWORDS, 2)
    held = [await connect(made.urls["api"]) for _ in range(2)]
    try:
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            await connect(made.urls["api"])
    finally:
        await asyncio.gather(*(connection.close() for connection in held))


async def test_a_dead_server_is_down_not_broken(unused_tcp_port: int) -> None:
    """A closed port, and a wrong password, are `BackendDown`: worth another try."""
    with pytest.raises(BackendDown, match="does not respond"):
        await PostgresBackend(f"postgresql://a:b@127.0.0.1:{unused_tcp_port}/postgres").check()


async def test_a_connection_that_dies_in_a_statement_ends_the_step(
    postgres: Postgres, backend: PostgresBackend, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step waits for a lock when its network goes silent: it fails with the next probe, and so does the probe."""
    monkeypatch.setattr(database, "_CHECK_SECONDS", 0.5)
    await backend.ensure(tenant, PASSWORDS, 20)
    target = urlsplit(postgres.admin_url)
    async with (
        Forwarder(target.port or 5432) as network,
        await psycopg.AsyncConnection.connect(postgres.admin_url) as other,
    ):
        await lock_owner(other, tenant)
        url = target._replace(netloc=target.netloc.replace(f":{target.port}", f":{network.port}")).geturl()
        breaker = CircuitBreaker("database", "default", PostgresBackend(url))
        step = asyncio.create_task(breaker.call(lambda through: through.ensure(tenant, PASSWORDS, 20)))
        await eventually(lambda: waits_for_a_lock(postgres), why="the step waits for the lock")
        network.hold()
        with pytest.raises(BackendDown, match=r"did not finish a step within 0\.5 s"):
            await breaker.probe()
        with pytest.raises(BackendDown):
            await asyncio.wait_for(step, 15)


async def lock_owner(other: psycopg.AsyncConnection[tuple[object, ...]], tenant: str) -> None:
    """Change the tenant's owner in a transaction that stays open."""
    await other.execute(sql.SQL("ALTER ROLE {} NOINHERIT").format(sql.Identifier(role_names(tenant)["owner"])))


async def waits_for_a_lock(postgres: Postgres) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = %s"
    return bool(await scalar(postgres.admin_url, query, "imghost-operator"))


async def test_a_step_has_a_limit_of_its_own(
    backend: PostgresBackend, postgres: Postgres, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that is never released ends the step, not the operator."""
    await backend.ensure(tenant, PASSWORDS, 20)
    monkeypatch.setattr(database, "_ALL_SECONDS", 0.5)
    async with await psycopg.AsyncConnection.connect(postgres.admin_url) as other:
        await lock_owner(other, tenant)
        with pytest.raises(BackendDown, match="Check the server, its locks"):
            await backend.ensure(tenant, PASSWORDS, 20)
