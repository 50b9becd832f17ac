"""Overload, and a database or store that goes away and comes back."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import minio as minio_client
import pytest

from imghost_core.object_keys import VARIANT_NAMES
from imghost_core.settings import StoreSettings
from support import hostile, sample_images
from support.eventually import eventually
from support.imaging import Imaging, ImagingDatabase, running
from support.minio import Minio
from support.postgres import Postgres


async def ready(imaging: Imaging) -> bool:
    statuses = [(await client.get("/readyz")).status_code for client in (imaging.public, imaging.ops)]
    assert statuses[0] == statuses[1]
    return statuses[0] == 200


async def test_uploads_beyond_the_queue_get_a_503(tenant: ImagingDatabase, storage: StoreSettings) -> None:
    """Beyond slots and queue ingest is 503 overloaded with Retry-After, immediately; what was admitted succeeds."""
    async with running(tenant, storage, concurrency=1, queue_per_slot=2) as imaging:
        requests = [await imaging.put(sample_images.photo(1600, 1200, seed=number)) for number in range(12)]
        responses = await asyncio.gather(*map(imaging.ingest, requests))
        statuses = [response.status_code for response in responses]
        assert set(statuses) == {200, 503}
        assert statuses.count(200) >= 3
        for request, response in zip(requests, responses, strict=True):
            if response.status_code == 503:
                assert (response.json()["code"], response.headers["retry-after"]) == ("overloaded", "1")
                assert len(await imaging.stored_keys(request["image"])) == 1
        assert (await imaging.ingest(requests[statuses.index(503)])).status_code == 200


async def test_rendering_stops_at_its_time_limit(tenant: ImagingDatabase, storage: StoreSettings) -> None:
    """An image whose work passes its time limit is 503 overloaded, nothing is stored, and the slot is free again."""
    async with running(tenant, storage, concurrency=1, render_seconds=0.02) as imaging:
        request = await imaging.put(sample_images.photo(4000, 3000))
        response = await imaging.ingest(request)
        assert (response.status_code, response.json()["code"]) == (503, "overloaded")
        assert len(await imaging.stored_keys(request["image"])) == 1
        assert await imaging.metric("imghost_imaging_slots_busy") == 0
        assert (await imaging.ingest(await imaging.put(hostile.svg_xxe()))).status_code == 415


async def test_a_filesystem_store_recovers_after_an_error(imaging: Imaging, storage: StoreSettings) -> None:
    """A store that cannot be read is 503 with Retry-After, and all is well when it is back."""
    stored = await imaging.upload(sample_images.photo())
    request = await imaging.put(sample_images.png())
    root, away = storage.store_root, Path(f"{storage.store_root}-away")
    assert root is not None
    root.rename(away)
    root.write_text("not a folder any more")
    assert not await ready(imaging)
    root.unlink()
    away.rename(root)
    assert await ready(imaging)
    assert (await imaging.ingest(request)).status_code == 200
    assert (await imaging.public.get(f"/i/{stored.public_id}")).content == stored.body


async def test_views_and_images_survive_a_database_outage(
    imaging: Imaging, postgres: Postgres, tenant: ImagingDatabase
) -> None:
    """Without its database delivery is 503 with Retry-After and not ready; it heals, and earlier views are counted."""
    stored = await imaging.upload(sample_images.photo())
    assert (await imaging.public.get(f"/i/{stored.public_id}")).status_code == 200
    with tenant.database_away(postgres.admin_url):
        for path in (f"/i/{stored.public_id}", f"/{stored.public_id}_thumb.jpg", f"/info/{stored.public_id}"):
            response = await imaging.public.get(path)
            assert (response.status_code, response.json()["code"]) == (503, "unavailable")
            assert int(response.headers["retry-after"]) >= 1
        assert not await ready(imaging)
        assert (await imaging.public.get("/livez")).status_code == 200
        assert (await imaging.ingest(await imaging.put(sample_images.png()))).status_code == 200  # needs no database
    await eventually(lambda: ready(imaging), within=20, why="the service heals by itself")
    assert (await imaging.public.get(f"/i/{stored.public_id}")).status_code == 200

    async def counted() -> bool:
        return (await imaging.public.get(f"/info/{stored.public_id}")).json()["views"] == 2

    await eventually(counted, why="the view of before and the view of after the outage are written")


@pytest.fixture
async def on_minio(minio: Minio, tenant: ImagingDatabase) -> AsyncIterator[Imaging]:
    """The service on a real MinIO, below a prefix."""
    bucket = f"imaging-{secrets.token_hex(6)}"
    address = minio.endpoint.removeprefix("http://")
    minio_client.Minio(address, minio.access_key, minio.secret_key, secure=False).make_bucket(bucket)
    values = {
        "store_kind": "s3",
        "s3_endpoint": minio.endpoint,
        "s3_bucket": bucket,
        "s3_prefix": "demo/",
        "s3_access_key_id": minio.access_key,
        "s3_secret_access_key": minio.secret_key,
        "store_timeout_seconds": 2,
    }
    async with running(tenant, StoreSettings.model_validate(values), concurrency=2) as service:
        yield service


async def test_ingest_and_delivery_work_on_s3(on_minio: Imaging) -> None:
    """Ingest, original, sizes, ranges and restoring behave the same on an S3 as on files."""
    stored = await on_minio.upload(sample_images.photo(1900, 1000))
    path = f"/i/{stored.public_id}"
    assert (await on_minio.public.get(path)).content == stored.body
    part = await on_minio.public.get(path, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, stored.body[1000:2000])
    for size in VARIANT_NAMES:
        assert (await on_minio.public.get(f"{path}?size={size}")).headers["content-type"] == "image/jpeg"
    await on_minio.lose(stored, "variants/thumb")
    assert (await on_minio.public.get(f"{path}?size=thumb")).status_code == 200
    assert "variants/thumb.jpg" in await on_minio.stored_keys(stored.image)
    refused = await on_minio.put(hostile.polyglot_zip())
    assert (await on_minio.ingest(refused)).status_code == 422
    assert len(await on_minio.stored_keys(refused["image"])) == 1


async def test_delivery_and_ingest_are_503_while_the_store_is_down(on_minio: Imaging, minio: Minio) -> None:
    """While the store is away delivery and ingest are 503 with Retry-After; when it is back, so are the images."""
    stored = await on_minio.upload(sample_images.photo())
    request = await on_minio.put(sample_images.png())
    minio.stop()
    try:
        for response in (
            await on_minio.public.get(f"/i/{stored.public_id}"),
            await on_minio.public.get(f"/i/{stored.public_id}?size=thumb"),
            await on_minio.ingest(request),
        ):
            assert (response.status_code, response.json()["code"]) == (503, "unavailable")
            assert int(response.headers["retry-after"]) >= 1
        assert not await ready(on_minio)
        unchanged = await on_minio.public.get(f"/i/{stored.public_id}", headers={"If-None-Match": "*"})
        assert unchanged.status_code == 304
    finally:
        minio.start()
    await eventually(lambda: ready(on_minio), within=20, why="the service heals by itself")
    assert (await on_minio.public.get(f"/i/{stored.public_id}")).content == stored.body
    assert (await on_minio.ingest(request)).status_code == 200
