"""The end of a tenant, on real servers: what goes, what stays, in which order, also when no backend responds."""

import io
from datetime import timedelta

import psycopg
import pytest
from minio import Minio as Client
from minio.error import S3Error

from imghost_operator.platform import ObjectRef
from imghost_operator.provision.database import PostgresBackend, database_name
from imghost_operator.provision.storage import MinioBackend
from imghost_operator.tenant_store import TenantStore
from support.eventually import eventually
from support.minio import Minio
from support.operators import BUCKET, condition
from support.reconcile_harness import TENANTS, ReconcileHarness

DEAD_DATABASE = "postgresql://a:b@127.0.0.1:1/postgres"


@pytest.fixture
def root(minio: Minio) -> Client:
    return Client(minio.endpoint.removeprefix("http://"), minio.access_key, minio.secret_key, secure=False)


async def fill(bench: ReconcileHarness) -> Client:
    """A row and an object through the tenant's own credentials; returns its S3 client."""
    url = bench.secret("database-owner")["DATABASE_URL"]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    key = bench.secret("storage")
    host = bench.minio.endpoint.removeprefix("http://")
    mine = Client(host, key["S3_ACCESS_KEY_ID"], key["S3_SECRET_ACCESS_KEY"], secure=False, region="us-east-1")
    mine.put_object(BUCKET, f"{bench.name}/image", io.BytesIO(b"image"), len(b"image"))
    return mine


async def databases(bench: ReconcileHarness) -> int:
    async with await psycopg.AsyncConnection.connect(bench.postgres.admin_url) as connection:
        found = await connection.execute(
            "SELECT count(*) FROM pg_database WHERE datname = %s", (database_name(bench.name),)
        )
        row = await found.fetchone()
        return int(row[0]) if row else 0


async def wait_until_deleted(bench: ReconcileHarness) -> None:
    """Passes until the tenant is no more."""

    async def ended() -> bool:
        if bench.api.request("GET", f"{TENANTS}/{bench.name}").status == 404:
            return True
        await bench.one_pass()
        return False

    await eventually(ended, within=30, why="the tenant is deleted")


async def test_a_deletion_during_a_pass_is_not_lost(bench: ReconcileHarness) -> None:
    """A person deletes the tenant while a pass works on it. The answer to that pass's own write shows it first,
    and wakes the tenant: the event is older by then, and says nothing new.
    """
    woken: list[str] = []
    tenants = TenantStore(lambda name, _: woken.append(name), lambda _: None)
    bench.noted = tenants.put_local
    async with bench.running():
        bench.create()
        await bench.one_pass()
        bench.workloads.play()
        await bench.calm()
        seen = bench.tenant()
        tenants.put(seen)
        woken.clear()
        bench.end()
        reported_by_the_watch = bench.tenant()
        await bench.reconciler.reconcile(seen)
        assert woken == [bench.name]
        tenants.put(reported_by_the_watch)
        assert woken == [bench.name]
        assert "deletionTimestamp" in (tenants.get(bench.name) or {})["metadata"]
        await wait_until_deleted(bench)


async def test_retain_keeps_the_data_and_ends_the_keys(bench: ReconcileHarness, root: Client) -> None:
    """By default database and images outlive the tenant, its credentials do not, and its namespace goes."""
    bench.create()
    async with bench.running():
        await bench.ready()
        mine = await fill(bench)
        url = bench.secret("database-owner")["DATABASE_URL"]
        bench.end()
        await wait_until_deleted(bench)
    response = bench.api.request("GET", f"/api/v1/namespaces/{bench.namespace}")
    assert response.status == 404 or response.body["metadata"]["deletionTimestamp"]
    assert root.get_object(BUCKET, f"{bench.name}/image").read() == b"image"
    assert await databases(bench) == 1
    with pytest.raises(S3Error):
        mine.get_object(BUCKET, f"{bench.name}/image")
    with pytest.raises(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(url)


async def test_a_tenant_created_again_finds_its_data(bench: ReconcileHarness) -> None:
    """A tenant that is created again under the same name after Retain has its rows and images, with new keys."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await fill(bench)
        bench.end()
        await wait_until_deleted(bench)
        await eventually(
            lambda: not bench.exists(ObjectRef("Namespace", "", bench.namespace)), why="the namespace is deleted"
        )
        bench.create()
        await bench.ready()
        url = bench.secret("database-owner")["DATABASE_URL"]
        async with await psycopg.AsyncConnection.connect(url) as connection:
            row = await (await connection.execute("SELECT answer FROM kept")).fetchone()
        assert row == (42,)
        key, host = bench.secret("storage"), bench.minio.endpoint.removeprefix("http://")
        mine = Client(host, key["S3_ACCESS_KEY_ID"], key["S3_SECRET_ACCESS_KEY"], secure=False, region="us-east-1")
        assert mine.get_object(BUCKET, f"{bench.name}/image").read() == b"image"


async def test_delete_leaves_nothing(bench: ReconcileHarness, root: Client) -> None:
    """With deletionPolicy Delete the database, its roles and every image go as well."""
    bench.create(deletionPolicy="Delete")
    async with bench.running():
        await bench.ready()
        await fill(bench)
        bench.end()
        await wait_until_deleted(bench)
    assert await databases(bench) == 0
    assert not list(root.list_objects(BUCKET, f"{bench.name}/", recursive=True))


async def test_pods_end_before_their_credentials(bench: ReconcileHarness) -> None:
    """While a pod of the tenant still runs, its credentials work; the status says what is waited for."""
    bench.create()
    async with bench.running():
        await bench.ready()
        key = ObjectRef("Deployment", bench.namespace, "api")
        bench.patch(key, {"metadata": {"finalizers": ["example.com/slow-pod"]}})
        mine = await fill(bench)
        bench.end()
        await bench.until(
            lambda: condition(bench.tenant(), "Deleting").get("reason") == "StoppingPods", why="pods are stopped first"
        )
        assert mine.get_object(BUCKET, f"{bench.name}/image").read() == b"image"
        bench.patch(key, {"metadata": {"finalizers": None}})
        await wait_until_deleted(bench)


async def test_pods_that_never_end_do_not_keep_a_tenant(bench: ReconcileHarness) -> None:
    """After two minutes a pod on a lost node no longer holds up the deletion."""
    bench.create()
    async with bench.running():
        await bench.ready()
        bench.patch(
            ObjectRef("Deployment", bench.namespace, "api"), {"metadata": {"finalizers": ["example.com/lost-node"]}}
        )
        bench.end()
        await bench.one_pass()
        bench.late = timedelta(minutes=3)
        await wait_until_deleted(bench)
        bench.patch(ObjectRef("Deployment", bench.namespace, "api"), {"metadata": {"finalizers": None}})


async def test_retain_ends_although_no_backend_answers(bench: ReconcileHarness) -> None:
    """With Retain a dead database and store do not hold up the deletion; an event lists what was not revoked."""
    bench.create()
    async with bench.running():
        await bench.ready()
    bench.databases["default"] = PostgresBackend(DEAD_DATABASE)
    bench.stores["default"] = MinioBackend("http://127.0.0.1:1", BUCKET, "no-admin", "nothing-at-all")
    async with bench.running():
        bench.end()
        await wait_until_deleted(bench)
        assert "CredentialsNotRevoked" in bench.events()


async def test_delete_waits_for_its_backend_and_says_so(bench: ReconcileHarness) -> None:
    """With Delete and a dead database the tenant stays, with a reason, an event when stuck, and a way out."""
    bench.create(deletionPolicy="Delete")
    async with bench.running():
        await bench.ready()
    good, bench.databases["default"] = bench.databases["default"], PostgresBackend(DEAD_DATABASE)
    async with bench.running():
        bench.end()
        await bench.until(
            lambda: condition(bench.tenant(), "Deleting").get("reason") == "WaitingForBackend", why="it waits"
        )
        assert "deletionPolicy to Retain" in condition(bench.tenant(), "Deleting")["message"]
        bench.late = timedelta(minutes=11)
        await bench.one_pass()
        assert condition(bench.tenant(), "Deleting")["reason"] == "Stuck"
        assert "DeletionStuck" in bench.events()
        bench.reconciler.breakers[0].backend = good
        await bench.reconciler.breakers[0].probe()
        await wait_until_deleted(bench)
    assert await databases(bench) == 0


async def test_a_stuck_deletion_can_be_let_go(bench: ReconcileHarness) -> None:
    """Setting the policy to Retain lets a tenant go whose backend will never come back."""
    bench.create(deletionPolicy="Delete")
    async with bench.running():
        await bench.ready()
    bench.databases["default"] = PostgresBackend(DEAD_DATABASE)
    async with bench.running():
        bench.end()
        await bench.one_pass()
        bench.edit(deletionPolicy="Retain")
        await wait_until_deleted(bench)
    assert await databases(bench) == 1


async def test_a_tenant_that_owns_nothing_is_deleted_immediately(bench: ReconcileHarness) -> None:
    """A tenant that was never provisioned has no finalizer: deleting it needs no operator."""
    bench.create(paused=True)
    async with bench.running():
        await bench.one_pass()
    assert not bench.tenant()["metadata"].get("finalizers")
    bench.end()
    assert bench.api.request("GET", f"{TENANTS}/{bench.name}").status == 404


async def test_a_paused_tenant_can_be_deleted(bench: ReconcileHarness) -> None:
    """A deletion is meant, also of a paused tenant: pausing does not hold up its end."""
    bench.create()
    async with bench.running():
        await bench.ready()
        bench.edit(paused=True)
        bench.end()
        await wait_until_deleted(bench)


async def test_a_tenant_deleted_in_the_middle_leaves_nothing(bench: ReconcileHarness) -> None:
    """Deleted while its migration still runs, a tenant goes without orphans in database or store."""
    bench.create(deletionPolicy="Delete")
    bench.workloads.jobs = "run"
    async with bench.running():
        await bench.until(
            lambda: condition(bench.tenant(), "SchemaReady").get("reason") == "Migrating", why="the migration runs"
        )
        bench.end()
        await wait_until_deleted(bench)
    assert await databases(bench) == 0
