"""Rotating a tenant's credentials by hand, as docs/operations.md describes it."""

import psycopg
import pytest
from minio import Minio, S3Error
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin

from imghost_operator.platform import ObjectRef
from imghost_operator.provision.storage import MinioBackend
from support.operators import BUCKET
from support.reconcile_harness import ReconcileHarness


async def test_one_removed_entry_is_generated_again_and_the_others_stay(bench: ReconcileHarness) -> None:
    """A new key for sign-in tokens leaves the pepper of API keys alone, and new pods get it."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        before, pods = bench.secret("api-signing"), _pod_template(bench)
        removed = [{"op": "remove", "path": "/data/JWT_PRIVATE_KEY"}]
        bench.patch(ObjectRef("Secret", bench.namespace, "api-signing"), removed, "application/json-patch+json")
        await bench.until(
            lambda: (
                bench.secret("api-signing").get("JWT_PRIVATE_KEY", before["JWT_PRIVATE_KEY"])
                != before["JWT_PRIVATE_KEY"]
            ),
            why="there is a new key",
        )
        assert bench.secret("api-signing")["API_KEY_PEPPER"] == before["API_KEY_PEPPER"]
        await bench.until(lambda: _pod_template(bench) != pods, why="the pods are replaced")


async def test_a_deleted_secret_of_the_database_gets_a_new_password(bench: ReconcileHarness) -> None:
    """The new password signs in, the old one no longer does."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        old, key = bench.secret("database-api")["DATABASE_URL"], ObjectRef("Secret", bench.namespace, "database-api")
        bench.delete(key)
        await bench.until(
            lambda: bench.exists(key) and bench.secret("database-api")["DATABASE_URL"] != old, why="a new password"
        )
        async with await psycopg.AsyncConnection.connect(bench.secret("database-api")["DATABASE_URL"]) as connection:
            await connection.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await psycopg.AsyncConnection.connect(old)


async def test_another_access_key_of_the_operator_keeps_every_tenant_served(bench: ReconcileHarness) -> None:
    """A tenant's access key id is derived from the operator's: the new one is in the store before pods get it."""
    bench.create()
    async with bench.running():
        await bench.ready()
        old = bench.secret("storage")
    host, secret = bench.minio.endpoint.removeprefix("http://"), "rotated-secret-of-the-operator"
    root = StaticProvider(bench.minio.access_key, bench.minio.secret_key)
    admin = MinioAdmin(endpoint=host, credentials=root, secure=False)
    admin.user_add(f"admin-{bench.name}", secret)
    admin.policy_set("consoleAdmin", user=f"admin-{bench.name}")
    bench.stores = {"default": MinioBackend(bench.minio.endpoint, BUCKET, f"admin-{bench.name}", secret)}
    async with bench.running():
        await bench.until(lambda: bench.secret("storage") != old, why="the tenant has a new access key")
    new = bench.secret("storage")
    assert new["S3_ACCESS_KEY_ID"] != old["S3_ACCESS_KEY_ID"]
    for key in (old, new):  # running pods go on with the old one until they are replaced
        mine = Minio(host, key["S3_ACCESS_KEY_ID"], key["S3_SECRET_ACCESS_KEY"], secure=False, region="us-east-1")
        with pytest.raises(S3Error, match="NoSuchKey"):
            mine.get_object(BUCKET, f"{bench.name}/nothing")


def _pod_template(bench: ReconcileHarness) -> object:
    return bench.get(ObjectRef("Deployment", bench.namespace, "api"))["spec"]["template"]["metadata"]
