"""Backends that are no longer what the tenant's Secrets were written for: found out before anything relies on them."""

from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from imghost_operator.errors import BackendDown
from imghost_operator.platform import ObjectRef
from imghost_operator.provision.database import PostgresBackend, database_name
from imghost_operator.provision.storage import MinioBackend
from support.operators import BUCKET, condition
from support.reconcile_harness import ReconcileHarness


class Counting:
    """A backend that counts what is asked of it, and may be down."""

    def __init__(self, backend: Any) -> None:
        self.backend, self.asked, self.down = backend, list[str](), False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.backend, name)
        if name == "describe" or not callable(found):
            return found
        return self._counted(name, found)

    def _counted(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(*arguments: Any) -> Any:
            self.asked.append(name)
            if self.down:
                raise BackendDown("It does not respond.")
            return await call(*arguments)

        return counted


async def drop(bench: ReconcileHarness) -> None:
    """The database vanishes, as when its server was replaced by an empty one with the same address."""
    async with await psycopg.AsyncConnection.connect(bench.postgres.admin_url, autocommit=True) as admin:
        name = sql.Identifier(database_name(bench.name))
        await admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def jobs(bench: ReconcileHarness) -> set[str]:
    return {ref.name for ref in bench.cache.children(bench.name) if ref.kind == "Job"}


async def test_a_restart_asks_each_backend_once_for_all_tenants(bench: ReconcileHarness) -> None:
    """When all is as it was, one list of what exists is enough to believe the Secrets."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
    database, store = Counting(bench.databases["default"]), Counting(bench.stores["default"])
    bench.databases, bench.stores = {"default": database}, {"default": store}
    async with bench.running():
        await bench.one_pass()
        await bench.one_pass()
    assert (database.asked, store.asked) == (["inventory"], ["inventory"])
    assert condition(bench.tenant(), "Ready")["status"] == "True"


@pytest.mark.parametrize("noticed", ["after a restart", "after an outage"])
async def test_a_database_that_vanished_is_made_and_migrated_again(bench: ReconcileHarness, noticed: str) -> None:
    """The tenant is not Ready until the new, empty database has its schema, though the Job was complete."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        before, identity = jobs(bench), bench.tenant()["status"]["database"]["id"]
        if noticed == "after an outage":
            await drop(bench)
            (breaker,) = (each for each in bench.reconciler.breakers if each.kind == "database")
            good, breaker.backend = breaker.backend, PostgresBackend("postgresql://a:b@127.0.0.1:1/postgres")
            with pytest.raises(BackendDown):
                await breaker.probe()
            breaker.backend = good
            await breaker.probe()
            await assert_migrated_again(bench, before, identity)
    if noticed == "after a restart":
        await drop(bench)
        async with bench.running():
            await assert_migrated_again(bench, before, identity)


async def assert_migrated_again(bench: ReconcileHarness, before: set[str], identity: str) -> None:
    bench.workloads.jobs = "run"

    def migrating() -> bool:
        bench.workloads.play()
        return condition(bench.tenant(), "SchemaReady")["status"] != "True"

    await bench.until(migrating, why="the schema is known to be missing")
    assert condition(bench.tenant(), "Ready")["status"] != "True"
    bench.workloads.jobs = "succeed"
    await bench.ready()
    await bench.calm()
    assert bench.tenant()["status"]["database"]["id"] != identity
    assert len(jobs(bench) - before) == len(before)


async def test_other_addresses_are_provisioned_before_the_secrets_name_them(bench: ReconcileHarness) -> None:
    """While the new server and the new endpoint do not respond, Secrets, settings and pods stay with the old ones."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
    names = ("database-api", "database-owner", "storage")
    before = {name: bench.secret(name) for name in names}
    config = ObjectRef("ConfigMap", bench.namespace, "api")
    endpoint = bench.get(config)["data"]["S3_ENDPOINT"]
    other = bench.minio.endpoint.replace("127.0.0.1", "localhost")
    database = Counting(PostgresBackend(bench.postgres.admin_url, "localhost:5999"))
    store = Counting(MinioBackend(other, BUCKET, bench.minio.access_key, bench.minio.secret_key))
    database.down = store.down = True
    bench.databases, bench.stores = {"default": database}, {"default": store}
    async with bench.running():
        await bench.one_pass()
        assert {name: bench.secret(name) for name in names} == before
        assert bench.get(config)["data"]["S3_ENDPOINT"] == endpoint
        tenant = bench.tenant()
        assert {condition(tenant, kind)["status"] for kind in ("DatabaseReady", "StorageReady", "Ready")} == {"False"}
        database.down = store.down = False
        for breaker in bench.reconciler.breakers:
            await breaker.probe()
        await bench.until(lambda: "localhost:5999" in bench.secret("database-api")["DATABASE_URL"], why="the new host")
        assert bench.get(config)["data"]["S3_ENDPOINT"] == other


async def test_a_finished_migration_is_remembered_without_its_job(bench: ReconcileHarness) -> None:
    """A Job that was deleted is not run again; with its entry in the status removed too, it is."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        before = jobs(bench)
        assert set(bench.tenant()["status"]["migrations"].values()) == before
        for name in before:
            bench.delete(ObjectRef("Job", bench.namespace, name))
        await bench.until(lambda: not jobs(bench), why="the Jobs are deleted")
        await bench.one_pass()
        tenant = bench.tenant()
        assert jobs(bench) == set()
        assert {condition(tenant, kind)["status"] for kind in ("SchemaReady", "SchemaContracted", "Ready")} == {"True"}
        assert tenant["status"]["objects"]["desired"] == tenant["status"]["objects"]["applied"]
        path = f"/apis/imghost.dev/v1/imagehosttenants/{bench.name}/status"
        change = {"status": {"migrations": None}}
        assert bench.api.request("PATCH", path, change, "application/merge-patch+json").status == 200
        await bench.until(lambda: bool(jobs(bench)), why="the migration runs again")
        assert jobs(bench) <= before
