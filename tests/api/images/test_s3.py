"""The same upload on a real S3 store."""

import secrets
from pathlib import Path
from typing import Any

from minio import Minio as Client

from support import sample_images
from support.api import TenantDatabase, problem, register
from support.eventually import eventually
from support.imaging_server import serve_imaging
from support.minio import Minio


async def test_an_image_on_s3_from_upload_to_deletion(
    open_api: Any, open_worker: Any, tenant: TenantDatabase, minio: Minio, tmp_path: Path
) -> None:
    """On MinIO, too, an upload stores the original and its sizes below the tenant's prefix, a refusal leaves nothing,
    and a deletion removes everything.
    """
    bucket = f"images-{secrets.token_hex(4)}"
    root = Client(
        minio.endpoint.removeprefix("http://"), access_key=minio.access_key, secret_key=minio.secret_key, secure=False
    )
    root.make_bucket(bucket)
    store = {
        "store_kind": "s3",
        "s3_endpoint": minio.endpoint,
        "s3_bucket": bucket,
        "s3_prefix": "demo/",
        "s3_access_key_id": minio.access_key,
        "s3_secret_access_key": minio.secret_key,
    }

    def stored() -> list[str]:
        return [str(item.object_name) for item in root.list_objects(bucket, recursive=True)]

    environment = {name.upper(): value for name, value in store.items()}
    with serve_imaging(tenant, tmp_path, **environment) as imaging:
        async with open_api(imaging_url=imaging, **store) as api, open_worker(**store):
            person = await register(api)
            problem(await person.upload(b"no image"), 415, "unsupported_format")
            assert stored() == []
            image = (await person.upload(sample_images.photo(300, 200))).json()["image"]["id"]
            found = stored()
            assert len(found) == 6
            assert all(key.startswith("demo/w/") for key in found)
            await api.delete(f"/images/{image}", headers=person.key)
            await eventually(lambda: not stored(), within=15, why="the objects go")
