"""Rotating a tenant's credentials by hand, as docs/operations.md describes it."""

import psycopg
import pytest
from minio import Minio, S3Error
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin

from imghost_operator.platform import ObjectRef
from imghost_operator.provision.storage import MinioBackend
from imghost_operator.tenant_contract import DATABASE_SECRETS, STORAGE_SECRETS
from support.operators import BUCKET
from support.reconcile_harness import OPERATOR_NAMESPACE, ReconcileHarness


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
    """The ids of a tenant's access keys are derived from the operator's: the store knows new ones before pods do."""
    bench.create()
    async with bench.running():
        await bench.ready()
        old = [bench.secret(name) for name in STORAGE_SECRETS.values()]
    host, secret = bench.minio.endpoint.removeprefix("http://"), "rotated-secret-of-the-operator"
    root = StaticProvider(bench.minio.access_key, bench.minio.secret_key)
    admin = MinioAdmin(endpoint=host, credentials=root, secure=False)
    admin.user_add(f"admin-{bench.name}", secret)
    admin.policy_set("consoleAdmin", user=f"admin-{bench.name}")
    bench.stores = {"default": MinioBackend(bench.minio.endpoint, BUCKET, f"admin-{bench.name}", secret)}
    async with bench.running():
        await bench.until(
            lambda: all(bench.secret(name) not in old for name in STORAGE_SECRETS.values()), why="there are new keys"
        )
    new = [bench.secret(name) for name in STORAGE_SECRETS.values()]
    assert len({key["S3_ACCESS_KEY_ID"] for key in [*old, *new]}) == len([*old, *new])
    for key in (*old, *new):  # running pods go on with the old one until they are replaced
        assert _error(bench, key) == "NoSuchKey"


async def test_both_store_keys_are_replaced(bench: ReconcileHarness) -> None:
    """The api's and imaging's get new secrets, which the store takes before the Secrets have them; old ones end."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        old = {name: bench.secret(name) for name in STORAGE_SECRETS.values()}
        bench.edit(credentials={"storage": "2026-11"})
        await bench.until(lambda: all(bench.secret(name) != old[name] for name in old), why="there are new secrets")
    for name, key in old.items():
        assert _error(bench, bench.secret(name)) == "NoSuchKey"
        assert _error(bench, key) == "SignatureDoesNotMatch"


async def test_a_tenant_with_one_store_key_gets_the_second(bench: ReconcileHarness) -> None:
    """A tenant of an earlier release: the key that pods use stays as it is, and nothing is reported as restored."""
    bench.create()
    name, copy = STORAGE_SECRETS["imaging"], ObjectRef("Secret", OPERATOR_NAMESPACE, f"imghost-recovery-{bench.name}")
    async with bench.running():
        await bench.ready()
        await bench.calm()
        await bench.one_pass()
        first, second = bench.secret(STORAGE_SECRETS["api"]), bench.secret(name)
    admin = bench.minio.admin()
    admin.user_remove(second["S3_ACCESS_KEY_ID"])
    admin.policy_remove(second["S3_ACCESS_KEY_ID"])
    bench.patch(copy, {"data": {"IMAGING_S3_SECRET_ACCESS_KEY": None}})
    bench.delete(ObjectRef("Secret", bench.namespace, name))
    async with bench.running():
        await bench.until(lambda: bench.exists(ObjectRef("Secret", bench.namespace, name)), why="it has a second key")
        await bench.ready()
    assert bench.secret(STORAGE_SECRETS["api"]) == first
    assert bench.secret(name)["S3_SECRET_ACCESS_KEY"] != second["S3_SECRET_ACCESS_KEY"]
    assert [_error(bench, key) for key in (first, bench.secret(name))] == ["NoSuchKey", "NoSuchKey"]
    assert bench.get(copy)["data"]["IMAGING_S3_SECRET_ACCESS_KEY"]
    assert "CredentialsRestored" not in bench.events()


def _error(bench: ReconcileHarness, key: dict[str, str]) -> str:
    """What the store answers to this key about an object that does not exist."""
    host = bench.minio.endpoint.removeprefix("http://")
    mine = Minio(host, key["S3_ACCESS_KEY_ID"], key["S3_SECRET_ACCESS_KEY"], secure=False, region="us-east-1")
    with pytest.raises(S3Error) as error:
        mine.get_object(BUCKET, f"{bench.name}/nothing")
    return str(error.value.code)


def _pod_template(bench: ReconcileHarness) -> object:
    return bench.get(ObjectRef("Deployment", bench.namespace, "api"))["spec"]["template"]["metadata"]
