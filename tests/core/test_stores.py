"""Every store we claim passes the same tests."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import minio as minio_client
import pytest

from imghost_core.errors import ImghostError, Unavailable
from imghost_core.objects import ObjectMissing, ObjectStore, open_store
from imghost_core.settings import StoreSettings
from imghost_dev.bench_stores.clients import CLIENTS
from support.minio import Minio


def s3_settings(minio: Minio, **changes: Any) -> StoreSettings:
    values = {
        "STORE_KIND": "s3",
        "S3_ENDPOINT": minio.endpoint,
        "S3_BUCKET": f"core-{uuid.uuid4()}",
        "S3_PREFIX": "tenant-a/",
        "S3_ACCESS_KEY_ID": minio.access_key,
        "S3_SECRET_ACCESS_KEY": minio.secret_key,
        "STORE_TIMEOUT_SECONDS": 3,
    } | changes
    return StoreSettings.model_validate({name.lower(): value for name, value in values.items()})


def make_bucket(minio: Minio, settings: StoreSettings) -> None:
    assert settings.s3_bucket
    address = minio.endpoint.removeprefix("http://")
    minio_client.Minio(address, minio.access_key, minio.secret_key, secure=False).make_bucket(settings.s3_bucket)


# The product's client, and the one that ADR 0015 compares with it: figures mean something when both pass.
on_s3 = pytest.mark.parametrize("client", CLIENTS)


@pytest.fixture(params=["filesystem", *(pytest.param(name, marks=pytest.mark.services("minio")) for name in CLIENTS)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    if request.param == "filesystem":
        opened = open_store(StoreSettings(store_kind="filesystem", store_root=tmp_path / "store"))
    else:
        minio: Minio = request.getfixturevalue("minio")
        settings = s3_settings(minio)
        make_bucket(minio, settings)
        opened = CLIENTS[request.param](settings)
    yield opened
    await opened.close()


async def content(store: ObjectStore, key: str, **window: int) -> bytes:
    return b"".join([chunk async for chunk in store.stream(key, **window)])


async def test_put_and_get_return_the_same_bytes(store: ObjectStore, tmp_path: Path) -> None:
    """Bytes and files come back as they went in, with their size."""
    body = os.urandom(700_001)
    (tmp_path / "source").write_bytes(body)
    await store.put("w/1/a", body, content_type="image/png")
    await store.put_file("w/1/b", tmp_path / "source", content_type="image/png")
    assert await store.get("w/1/a") == body
    assert await content(store, "w/1/b") == body
    assert (await store.stat("w/1/b")).size == len(body)


async def test_a_file_of_several_parts_is_stored_whole(store: ObjectStore, tmp_path: Path) -> None:
    """A file above the 5 MiB that one request carries comes back as it went in."""
    body = os.urandom(12_000_001)
    (tmp_path / "source").write_bytes(body)
    await store.put_file("w/large", tmp_path / "source", content_type="image/png")
    assert (await store.stat("w/large")).size == len(body)
    assert await store.get("w/large") == body


async def test_a_range_of_an_object_can_be_streamed(store: ObjectStore) -> None:
    """A window of an object is exactly that window, as ranges need it."""
    body = os.urandom(600_000)
    await store.put("w/part", body, content_type="image/png")
    assert await content(store, "w/part", start=299_999, length=270_000) == body[299_999:569_999]
    assert await content(store, "w/part", start=599_990) == body[-10:]
    assert await content(store, "w/part", start=5, length=0) == b""


async def test_every_method_raises_object_missing(store: ObjectStore) -> None:
    """A missing object raises the same error from every method and every store."""
    with pytest.raises(ObjectMissing):
        await store.get("w/none")
    with pytest.raises(ObjectMissing):
        await store.stat("w/none")
    with pytest.raises(ObjectMissing):
        await content(store, "w/none")


async def test_delete_prefix_deletes_only_that_prefix(store: ObjectStore) -> None:
    """Deleting an image's prefix deletes all of it and nothing that merely starts alike."""
    for key in ("w/1/a/x", "w/1/a/v/y", "w/1/ab/z", "w/1/b/x", "w/2/a/x"):
        await store.put(key, b"1", content_type="image/png")
    assert await store.delete_prefix("w/1/a/") == 2
    assert await store.delete_prefix("w/1/a/") == 0
    assert [info.key async for info in store.list()] == ["w/1/ab/z", "w/1/b/x", "w/2/a/x"]
    assert [info.key async for info in store.list("w/1/")] == ["w/1/ab/z", "w/1/b/x"]
    assert [info.key async for info in store.list("w/1/a")] == ["w/1/ab/z"]


async def test_a_concurrent_delete_does_not_lose_a_put(store: ObjectStore) -> None:
    """An object put while its neighbours are deleted is there afterwards."""
    for round_ in range(8):
        await store.put(f"w/9/old{round_}/x", b"1", content_type="image/png")
        await asyncio.gather(
            store.delete_prefix(f"w/9/old{round_}/"),
            *(store.put(f"w/9/new{round_}-{n}/x", b"1", content_type="image/png") for n in range(4)),
        )
    assert len([info async for info in store.list("w/9/new")]) == 32


async def test_a_working_store_passes_its_check(store: ObjectStore) -> None:
    """The readiness check of a store in order is silent."""
    await store.check()


@pytest.mark.parametrize("key", ["../escape", "w/../../escape", "/etc/hostname", ""])
async def test_no_key_names_a_file_outside_the_folder(tmp_path: Path, key: str) -> None:
    """A key can never name a file outside the store's folder."""
    store = open_store(StoreSettings(store_kind="filesystem", store_root=tmp_path / "store"))
    with pytest.raises(ImghostError):
        await store.put(key, b"1", content_type="image/png")
    with pytest.raises(ObjectMissing):
        await store.get(key)
    assert not (tmp_path / "escape").exists()
    await store.close()


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """A store on a broken disk answers 503, not 500 or 404."""
    (tmp_path / "store").write_text("a file where the folder should be")
    store = open_store(StoreSettings(store_kind="filesystem", store_root=tmp_path / "store"))
    with pytest.raises(Unavailable):
        await store.check()
    await store.close()


@on_s3
@pytest.mark.services
async def test_an_unreachable_store_is_unavailable_within_its_timeout(client: str) -> None:
    """A port without a listener becomes 503 with a time to wait, within the store's own time-out."""
    settings = StoreSettings.model_validate(
        {
            "s3_endpoint": "http://127.0.0.1:9",
            "s3_bucket": "images",
            "s3_access_key_id": "k",
            "s3_secret_access_key": "s",
        }
    )
    store = CLIENTS[client](settings)
    with pytest.raises(Unavailable) as caught:
        await store.get("w/1")
    assert caught.value.retry_after
    await store.close()


@on_s3
async def test_wrong_credentials_fail_the_check(client: str, minio: Minio) -> None:
    """Credentials that do not work are found by the check, before an upload finds them."""
    store = CLIENTS[client](s3_settings(minio, S3_SECRET_ACCESS_KEY="wrong-secret"))
    with pytest.raises(Unavailable, match="refused"):
        await store.check()
    await store.close()


@on_s3
async def test_variables_for_other_programs_change_nothing(
    client: str, minio: Minio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store goes by its settings alone: variables that AWS tools read neither redirect it nor replace its login."""
    settings = s3_settings(minio)
    variables = {
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_REGION": "eu-west-1",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    store = CLIENTS[client](settings)
    make_bucket(minio, settings)
    await store.put("w/1", b"1", content_type="image/png")
    assert await store.get("w/1") == b"1"
    await store.close()


@on_s3
async def test_a_missing_bucket_is_no_missing_object(client: str, minio: Minio) -> None:
    """Without its bucket the store is unavailable, for the check too; it does not look like one without objects."""
    store = CLIENTS[client](s3_settings(minio))
    for operation in (store.check, lambda: store.get("w/1"), lambda: store.put("w/1", b"1", content_type="image/png")):
        with pytest.raises(Unavailable, match="refused: NoSuchBucket"):
            await operation()
    await store.close()
