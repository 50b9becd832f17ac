"""Rotating a tenant's credentials by hand, as docs/operations.md describes it."""

import psycopg
import pytest
from minio import Minio, S3Error
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin

from imghost_operator.platform import ObjectRef
from imghost_operator.provision.storage import MinioBackend
from imghost_operator.tenant_contract import DATABASE_SECRETS
from support.operators import BUCKET
from support.reconcile_harness import ReconcileHarness


async def test_one_part_is_replaced_and_the_others_stay(bench: ReconcileHarness) -> None:
    """A new key for sign-in tokens leaves the pepper of API keys alone, new pods get it, and it is made once."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        before, pods = bench.secret("api-signing"), _pod_template(bench)
        bench.edit(credentials={"signingKey": "2026-11"})
        await bench.until(lambda: bench.secret("api-signing") != before, why="there is a new key")
        after = bench.secret("api-signing")
        assert after["JWT_PRIVATE_KEY"] != before["JWT_PRIVATE_KEY"]
        assert after["API_KEY_PEPPER"] == before["API_KEY_PEPPER"]
        await bench.until(lambda: _pod_template(bench) != pods, why="the pods are replaced")
        await bench.ready()
        assert bench.secret("api-signing") == after
        assert "CredentialsRestored" not in bench.events()


async def test_new_database_passwords_sign_in_and_old_ones_do_not(bench: ReconcileHarness) -> None:
    """All roles get new passwords, which the server knows before the Secrets have them."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        old = {name: bench.secret(name)["DATABASE_URL"] for name in DATABASE_SECRETS.values()}
        bench.edit(credentials={"database": "after-the-leak"})
        await bench.until(
            lambda: all(bench.secret(name)["DATABASE_URL"] != url for name, url in old.items()), why="new passwords"
        )
        for name, url in old.items():
            async with await psycopg.AsyncConnection.connect(bench.secret(name)["DATABASE_URL"]) as connection:
                await connection.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                await psycopg.AsyncConnection.connect(url)


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
