"""Objects in any S3 by `minio`, which blocks and so runs in bounded threads: compared with the product's store."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from imghost_core.errors import Unavailable
from imghost_core.objects.base import ObjectInfo, ObjectMissing
from imghost_core.settings import StoreSettings

_CHUNK = 256 * 1024
_T = TypeVar("_T")


class MinioStore:
    """An `ObjectStore` in the bucket of `settings`, below its prefix."""

    def __init__(self, settings: StoreSettings, *, threads: int = 16) -> None:
        assert settings.s3_endpoint and settings.s3_bucket and settings.s3_secret_access_key  # noqa: PT018
        endpoint = urlsplit(settings.s3_endpoint)
        self._pool = urllib3.PoolManager(
            num_pools=2,
            maxsize=threads,
            timeout=urllib3.Timeout(connect=settings.store_timeout_seconds / 3, read=settings.store_timeout_seconds),
            retries=urllib3.Retry(total=2, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504]),
        )
        self._client = Minio(
            endpoint.netloc,
            settings.s3_access_key_id,
            settings.s3_secret_access_key.get_secret_value(),
            secure=endpoint.scheme == "https",
            region=settings.s3_region,
            http_client=self._pool,
        )
        self._bucket, self._prefix = settings.s3_bucket, settings.s3_prefix
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store")

    async def put_file(self, key: str, source: Path, *, content_type: str) -> None:
        await self._run(self._client.fput_object, self._bucket, self._prefix + key, str(source), content_type)

    async def put(self, key: str, body: bytes, *, content_type: str) -> None:
        await self._run(
            self._client.put_object, self._bucket, self._prefix + key, io.BytesIO(body), len(body), content_type
        )

    async def get(self, key: str) -> bytes:
        def read() -> bytes:
            response = self._client.get_object(self._bucket, self._prefix + key)
            try:
                return bytes(response.data)
            finally:
                response.close()
                response.release_conn()

        return await self._run(read)

    async def stream(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        if length == 0:
            return
        response = await self._run(
            lambda: self._client.get_object(self._bucket, self._prefix + key, offset=start, length=length or 0)
        )
        try:
            while chunk := await self._run(response.read, _CHUNK):
                yield chunk
        finally:
            response.close()
            response.release_conn()

    async def stat(self, key: str) -> ObjectInfo:
        found = await self._run(self._client.stat_object, self._bucket, self._prefix + key)
        assert found.size is not None and found.last_modified is not None  # noqa: PT018 - a HEAD always has both
        return ObjectInfo(key, found.size, found.last_modified)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        def read() -> list[ObjectInfo]:
            found = self._client.list_objects(self._bucket, self._prefix + prefix, recursive=True)
            return [
                ObjectInfo(item.object_name.removeprefix(self._prefix), item.size, item.last_modified)
                for item in found
                if item.object_name and item.size is not None and item.last_modified is not None
            ]

        for info in await self._run(read):
            yield info

    async def delete_prefix(self, prefix: str) -> int:
        def delete(keys: list[str]) -> None:
            doomed = [DeleteObject(self._prefix + key) for key in keys]
            for problem in self._client.remove_objects(self._bucket, doomed):
                raise Unavailable(f"The object store did not delete an object: {problem.code}.")

        keys = [info.key async for info in self.list(prefix)]
        await self._run(delete, keys)
        return len(keys)

    async def check(self) -> None:
        try:
            await self.get(".check")  # the 404 of a HEAD would not say whether the object or the bucket is missing
        except ObjectMissing:
            return

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.clear()

    async def _run(self, call: Callable[..., _T], *args: object) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)
        except S3Error as error:
            if error.code in {"NoSuchKey", "NoSuchObject"}:
                raise ObjectMissing("No object has this key.") from error
            raise Unavailable(f"The object store refused: {error.code}. Try again shortly.") from error
        except (MinioException, HTTPError, OSError) as error:
            raise Unavailable("The object store is out of reach. Try again shortly.") from error
