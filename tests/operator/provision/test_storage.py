"""The store backends: a real MinIO and a real folder."""

import io
import secrets
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from minio import Minio as Client
from minio.commonconfig import ENABLED, Filter
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from minio.minioadmin import MinioAdmin

from imghost_core.objects.s3 import S3Store
from imghost_core.settings import StoreSettings
from imghost_operator.build_inputs import Store, StoreUser
from imghost_operator.errors import BackendDown, BackendRefused
from imghost_operator.provision.storage import FilesystemBackend, MinioBackend
from imghost_operator.tenant_contract import store_variables
from support.eventually import eventually
from support.minio import Minio

BUCKET = "images"
EXPIRE_ALL = LifecycleConfig([Rule(ENABLED, rule_filter=Filter(prefix=""), expiration=Expiration(days=1))])
SECRETS: dict[StoreUser, str] = {"api": secrets.token_urlsafe(30), "imaging": secrets.token_urlsafe(30)}


@pytest.fixture
async def backend(minio: Minio) -> MinioBackend:
    made = MinioBackend(minio.endpoint, BUCKET, minio.access_key, minio.secret_key)

    async def answers() -> bool:
        await made.check()
        return True

    await eventually(answers, why="MinIO has started", ignoring=(BackendDown,))  # it listens before it serves
    return made


@pytest.fixture
async def tenant(backend: MinioBackend) -> AsyncIterator[str]:
    """The name of a tenant whose key and objects go when the test ends."""
    name = f"st-{secrets.token_hex(4)}"
    yield name
    await backend.revoke(name)
    await backend.empty(name)


@pytest.fixture
def root(minio: Minio) -> Client:
    return Client(minio.endpoint.removeprefix("http://"), minio.access_key, minio.secret_key, secure=False)


def client(store: Store, user: StoreUser = "api") -> Client:
    host, key = store.config["S3_ENDPOINT"].removeprefix("http://"), store.keys[user]
    return Client(host, key.id, key.secret, secure=False, region=store.config["S3_REGION"])


def put(via: Client, key: str, body: bytes = b"image") -> None:
    via.put_object(BUCKET, key, io.BytesIO(body), len(body))


def assert_refused(call: Callable[[], object]) -> None:
    with pytest.raises(S3Error) as error:
        call()
    assert error.value.code == "AccessDenied"


async def test_the_services_own_store_works_with_what_is_provisioned(backend: MinioBackend, tenant: str) -> None:
    """Settings and key of a tenant are all the services' `ObjectStore` needs to put, list, read and delete."""
    made = await backend.ensure(tenant, SECRETS)
    environment = {name.lower(): value for name, value in {**made.config, **store_variables(made, "api")}.items()}
    store = S3Store(StoreSettings.model_validate(environment))
    try:
        await store.check()
        await store.put("a/b", b"image", content_type="image/jpeg")
        assert [info.key async for info in store.list("a/")] == ["a/b"]
        assert await store.get("a/b") == b"image"
        assert await store.delete_prefix("a/") == 1
    finally:
        await store.close()


@pytest.mark.parametrize("user", SECRETS)
async def test_a_key_reaches_its_own_prefix_only(
    backend: MinioBackend, root: Client, tenant: str, user: StoreUser
) -> None:
    """With a tenant's keys, another tenant's objects can be neither read, listed, written nor deleted."""
    mine = client(await backend.ensure(tenant, SECRETS), user)
    put(mine, f"{tenant}/image")
    for other in (f"{tenant}-other", "elsewhere", tenant[:-1]):
        put(root, f"{other}/image")
        assert_refused(lambda other=other: mine.get_object(BUCKET, f"{other}/image"))
        assert_refused(lambda other=other: list(mine.list_objects(BUCKET, f"{other}/", recursive=True)))
        assert_refused(lambda other=other: put(mine, f"{other}/mine"))
        assert_refused(lambda other=other: mine.remove_object(BUCKET, f"{other}/image"))
        root.remove_object(BUCKET, f"{other}/image")
    assert_refused(lambda: list(mine.list_objects(BUCKET, recursive=True)))
    assert_refused(lambda: list(mine.list_objects(BUCKET, tenant, recursive=True)))
    assert_refused(lambda: mine.copy_object(BUCKET, "elsewhere/copy", _source(f"{tenant}/image")))
    assert_refused(mine.list_buckets)
    assert_refused(lambda: mine.make_bucket("another"))
    assert_refused(lambda: mine.set_bucket_policy(BUCKET, "{}"))


async def test_the_key_of_imaging_reads_and_writes_but_does_not_delete(
    backend: MinioBackend, root: Client, tenant: str
) -> None:
    """Imaging, which decodes untrusted bytes, does all it needs with its key; no way to delete is open to it."""
    made = await backend.ensure(tenant, SECRETS)
    mine, key = client(made, "imaging"), f"{tenant}/a/image"
    environment = {name.lower(): value for name, value in {**made.config, **store_variables(made, "imaging")}.items()}
    store = S3Store(StoreSettings.model_validate(environment))
    try:
        await store.check()
        await store.put("a/image", b"image", content_type="image/jpeg")
        assert await store.get("a/image") == b"image"
        assert [info.key async for info in store.list("a/")] == ["a/image"]
    finally:
        await store.close()
    assert_refused(lambda: mine.remove_object(BUCKET, key))
    assert [problem.code for problem in mine.remove_objects(BUCKET, [DeleteObject(key)])] == ["AccessDenied"]
    assert_refused(lambda: mine.set_bucket_lifecycle(BUCKET, EXPIRE_ALL))
    assert root.get_object(BUCKET, key).read() == b"image"
    client(made, "api").remove_object(BUCKET, key)
    with pytest.raises(S3Error, match="NoSuchKey"):
        root.get_object(BUCKET, key)


async def test_a_key_that_the_store_does_not_take_is_not_delivered(
    backend: MinioBackend, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that was made but cannot read its prefix, as under a policy of others, is a failure of provisioning."""
    key_id, real = backend.describe(tenant, SECRETS).keys["imaging"].id, MinioAdmin.policy_set

    def useless(admin: MinioAdmin, policy: str, user: str) -> None:
        real(admin, "diagnostics" if user == key_id else policy, user=user)

    monkeypatch.setattr(MinioAdmin, "policy_set", useless)
    with pytest.raises(BackendRefused, match=f"does not let the new key {key_id} read its prefix"):
        await backend.ensure(tenant, SECRETS)


def _source(key: str) -> object:
    from minio.commonconfig import CopySource

    return CopySource(BUCKET, key)


async def test_ensure_again_keeps_objects_and_takes_the_new_secret(backend: MinioBackend, tenant: str) -> None:
    """Provisioning twice is harmless; with another secret the old one no longer works."""
    before = await backend.ensure(tenant, SECRETS)
    put(client(before), f"{tenant}/image")
    assert await backend.ensure(tenant, SECRETS) == before
    after = await backend.ensure(tenant, {user: secrets.token_urlsafe(30) for user in SECRETS})
    for user in SECRETS:
        assert client(after, user).get_object(BUCKET, f"{tenant}/image").read() == b"image"
        with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
            put(client(before, user), f"{tenant}/late")


async def test_revoke_ends_the_key_and_keeps_the_objects(backend: MinioBackend, root: Client, tenant: str) -> None:
    """After revoke the key is unknown, twice is fine, and the objects are still there."""
    made = await backend.ensure(tenant, SECRETS)
    put(client(made), f"{tenant}/image")
    await backend.revoke(tenant)
    await backend.revoke(tenant)
    for user in SECRETS:
        with pytest.raises(S3Error, match="InvalidAccessKeyId"):
            client(made, user).get_object(BUCKET, f"{tenant}/image")
    assert root.get_object(BUCKET, f"{tenant}/image").read() == b"image"


@pytest.mark.parametrize("end", ["0123456789abcdef", "imaging", "0123456789abcdef-imaging"])
async def test_revoke_leaves_other_tenants_keys_alone(backend: MinioBackend, tenant: str, end: str) -> None:
    """A tenant whose name begins like the revoked one's keeps its keys."""
    other = f"{tenant}-{end}"
    await backend.ensure(tenant, SECRETS)
    theirs = await backend.ensure(other, SECRETS)
    try:
        await backend.revoke(tenant)
        for user in SECRETS:
            put(client(theirs, user), f"{other}/image")
    finally:
        await backend.revoke(other)
        await backend.empty(other)


async def test_empty_deletes_below_the_prefix_only(backend: MinioBackend, root: Client, tenant: str) -> None:
    """Emptying takes all of a tenant's objects and none of a tenant's whose name begins alike."""
    for number in range(3):
        put(root, f"{tenant}/{number}/image")
    put(root, f"{tenant}2/image")
    await backend.empty(tenant)
    assert [item.object_name for item in root.list_objects(BUCKET, tenant, recursive=True)] == [f"{tenant}2/image"]
    await backend.empty(f"{tenant}2")


async def test_key_ids_are_not_to_be_guessed(backend: MinioBackend, minio: Minio) -> None:
    """Who knows the tenant's name, or one id, does not know the others; they depend on the admin's secret."""
    other = MinioBackend(minio.endpoint, BUCKET, minio.access_key, "another-admin-secret")
    found = [each.describe("demo", SECRETS).keys[user].id for each in (backend, other) for user in SECRETS]
    assert len({key_id.removesuffix("-imaging") for key_id in found}) == len(found)
    assert not [secret for secret in SECRETS.values() if secret in repr(backend.describe("demo", SECRETS))]


async def test_a_dead_and_a_hostile_store_are_distinguished(minio: Minio, unused_tcp_port: int) -> None:
    """A closed port is `BackendDown`; a key that is no admin is `BackendRefused`, with advice."""
    with pytest.raises(BackendDown, match="does not respond"):
        await MinioBackend(f"http://127.0.0.1:{unused_tcp_port}", BUCKET, "a", "b" * 8).check()
    with pytest.raises(BackendRefused, match="admin key"):
        await MinioBackend(minio.endpoint, BUCKET, "no-admin", "nothing-at-all").ensure("demo", SECRETS)


async def test_a_folder_belongs_to_one_tenant(tmp_path: Path) -> None:
    """The filesystem store gives each tenant a folder no other user may enter, and empties just that."""
    backend = FilesystemBackend(tmp_path / "store")
    made = await backend.ensure("demo", SECRETS)
    await backend.ensure("demo2", SECRETS)
    folder = Path(made.config["STORE_ROOT"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (made.keys, made.config["STORE_KIND"]) == ({}, "filesystem")
    (folder / "image").write_bytes(b"x")
    await backend.revoke("demo")
    await backend.empty("demo")
    await backend.empty("demo")
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["demo2"]


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../x"])
async def test_a_name_cannot_leave_the_store(tmp_path: Path, name: str) -> None:
    """A name that is no plain folder name is refused before anything is touched."""
    backend = FilesystemBackend(tmp_path)
    (tmp_path / "kept").touch()
    with pytest.raises(BackendRefused):
        await backend.empty(name)
    assert (tmp_path / "kept").exists()
