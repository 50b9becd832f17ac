"""The first look at backends after a start, with Secrets of tenants that were provisioned before it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from imghost_operator import tenant_objects
from imghost_operator.crd import Spec
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.provision import credentials
from imghost_operator.provision.circuit_breaker import CircuitBreaker
from imghost_operator.provision.database import PostgresBackend
from imghost_operator.provision.provisioner import Provisioned, Provisioner
from imghost_operator.provision.storage import FilesystemBackend
from support.postgres import Postgres
from support.processes import HOST
from support.tenants import UID, inputs, spec_of

KNOWN = credentials.to_credentials(credentials.generate(credentials.ENTRIES))


class CountingStore(FilesystemBackend):
    """A folder that counts how often it is listed."""

    listed = 0

    async def inventory(self) -> dict[str, str]:
        self.listed += 1
        return await super().inventory()


def provisioner(store: FilesystemBackend, **databases: PostgresBackend) -> Provisioner:
    """A provisioner that has asked nothing yet."""
    breakers = {name: CircuitBreaker("database", name, backend) for name, backend in databases.items()}
    return Provisioner(breakers, {"default": CircuitBreaker("store", "default", store)})


def secrets_of(tenant: str, spec: Spec, found: Provisioned) -> dict[ObjectRef, Object]:
    """The Secrets that a tenant has when it was provisioned."""
    given = inputs()
    made = type(given)(given.release, found.signing, found.database, found.store, given.endpoints)
    built = tenant_objects.build(tenant, UID, spec, made)
    return {item.ref: item.manifest for item in built if item.kind == "Secret"}


@asynccontextmanager
async def silent_server(accepted: asyncio.Event) -> AsyncIterator[int]:
    """The port of a server that accepts connections and never answers."""
    ended = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(hold, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        ended.set()
        server.close()
        await server.wait_closed()


async def test_a_backend_that_hangs_delays_no_other_backends_first_look(
    backend: PostgresBackend, postgres: Postgres, tenant: str, tmp_path: Path
) -> None:
    """While one server holds the list of its tenants, the tenants of the others are looked at."""
    store, accepted = FilesystemBackend(tmp_path), asyncio.Event()
    spec = spec_of(database={"instanceRef": "good"})
    stuck = spec_of(database={"instanceRef": "stuck"})
    made = await provisioner(store, good=backend).provision(tenant, spec, KNOWN, {})
    assert made.ready == {"database", "storage"}
    async with silent_server(accepted) as port:
        silent = PostgresBackend(f"postgresql://a:b@{HOST}:{port}/postgres")
        fresh = provisioner(store, good=PostgresBackend(postgres.admin_url), stuck=silent)
        there = secrets_of("stuck", stuck, await described(store, silent))
        waiting = asyncio.create_task(fresh.provision("stuck", stuck, KNOWN, there))
        await accepted.wait()
        found = await fresh.provision(tenant, spec, KNOWN, secrets_of(tenant, spec, made), made.database.identity)
        assert not waiting.done()
        assert (found.problems, found.database) == ({}, made.database)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def described(store: FilesystemBackend, database: PostgresBackend) -> Provisioned:
    """A tenant `stuck` as it was provisioned before its server hung."""
    await store.ensure("stuck", KNOWN.store_secrets)
    kept = store.describe("stuck", KNOWN.store_secrets)
    return Provisioned(database.describe("stuck", KNOWN.passwords), kept, KNOWN.signing, {}, frozenset(), 0)


async def test_tenants_of_one_backend_share_its_first_look(
    backend: PostgresBackend, tenant: str, tmp_path: Path
) -> None:
    """Two tenants that are looked at concurrently cause one list of the store, not two."""
    store, spec, other = CountingStore(tmp_path), spec_of(), f"db-{secrets.token_hex(4)}"
    try:
        before = {
            name: await provisioner(store, default=backend).provision(name, spec, KNOWN, {}) for name in (tenant, other)
        }
        fresh = provisioner(store, default=backend)
        await asyncio.gather(
            *(
                fresh.provision(name, spec, KNOWN, secrets_of(name, spec, made), made.database.identity)
                for name, made in before.items()
            )
        )
        assert store.listed == 1
    finally:
        await backend.drop(other)
