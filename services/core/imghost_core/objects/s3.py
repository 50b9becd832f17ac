"""Objects in any S3: the only place that imports `obstore`, a client in Rust that is awaited (docs/adr/0015)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store as Client

from imghost_core.errors import ImghostError, Unavailable
from imghost_core.objects.base import ObjectInfo, ObjectMissing
from imghost_core.settings import StoreSettings

if TYPE_CHECKING:  # these types exist for type checkers only
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig, S3Credential

_CHUNK = 256 * 1024
_PARTS = 3  # of 5 MiB: what one large upload holds in memory
_PAGE = 1000
_RETRIES = 2
_LONGEST_TRANSFER = timedelta(hours=1)  # the limit covers a whole response, and end users may read slowly
_CODE = re.compile("<Code>([A-Za-z0-9]+)</Code>")  # errors carry the text of the response, no code


class S3Store:
    """An `ObjectStore` in the bucket of `settings`, below its prefix."""

    def __init__(self, settings: StoreSettings) -> None:
        self._prefix = settings.s3_prefix
        self._client = _open_client(settings)

    async def put_file(self, key: str, source: Path, *, content_type: str) -> None:
        await self._put(key, source, content_type)

    async def put(self, key: str, body: bytes, *, content_type: str) -> None:
        await self._put(key, body, content_type)

    async def get(self, key: str) -> bytes:
        with _translated():
            found = await self._client.get_async(self._prefix + key)
            return bytes(await found.bytes_async())

    async def stream(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        if length == 0:
            return
        window: GetOptions = {"range": {"offset": start} if length is None else (start, start + length)}
        with _translated():
            found = await self._client.get_async(self._prefix + key, options=window)
            async for chunk in found.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

    async def stat(self, key: str) -> ObjectInfo:
        with _translated():
            found = await self._client.head_async(self._prefix + key)
        return ObjectInfo(key, found["size"], found["last_modified"])

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        wanted = self._prefix + prefix
        folder = wanted.rpartition("/")[0]  # the client lists only whole segments of a path
        with _translated():
            async for page in self._client.list(folder or None, chunk_size=_PAGE):
                for found in page:
                    if found["path"].startswith(wanted):
                        key = found["path"].removeprefix(self._prefix)
                        yield ObjectInfo(key, found["size"], found["last_modified"])

    async def delete_prefix(self, prefix: str) -> int:
        doomed = [self._prefix + info.key async for info in self.list(prefix)]
        if doomed:
            with _translated():
                await self._client.delete_async(doomed)
        return len(doomed)

    async def check(self) -> None:
        try:
            await self.get(".check")  # the 404 of a HEAD would not say whether the object or the bucket is missing
        except ObjectMissing:
            return

    async def close(self) -> None:
        """Nothing to do: connections close with the client, and its threads belong to the process."""

    async def _put(self, key: str, body: Path | bytes, content_type: str) -> None:
        attributes = {"Content-Type": content_type}
        with _translated():
            await self._client.put_async(self._prefix + key, body, attributes=attributes, max_concurrency=_PARTS)


def _open_client(settings: StoreSettings) -> Client:
    """A client that goes by `settings` alone: what is not said here it would take from variables named `AWS_…`."""
    assert settings.s3_endpoint and settings.s3_bucket and settings.s3_secret_access_key  # noqa: S101, PT018
    credential: S3Credential = {
        "access_key_id": settings.s3_access_key_id or "",
        "secret_access_key": settings.s3_secret_access_key.get_secret_value(),
        "token": None,
        "expires_at": None,
    }
    return Client(
        settings.s3_bucket,
        aws_endpoint_url_s3=settings.s3_endpoint,
        region=settings.s3_region,
        credential_provider=lambda: credential,
        skip_signature=False,
        unsigned_payload=False,  # the signature covers the content, so the store refuses what was changed on the way
        virtual_hosted_style_request=False,
        client_options=_client_options(settings),
        retry_config=_retries(settings),
    )


def _client_options(settings: StoreSettings) -> ClientConfig:
    trusted: ClientConfig = {"root_certificate": settings.s3_ca_file.read_bytes()} if settings.s3_ca_file else {}
    return {
        **trusted,
        "allow_http": urlsplit(settings.s3_endpoint or "").scheme == "http",
        "connect_timeout": timedelta(seconds=settings.store_timeout_seconds / 3),
        "read_timeout": timedelta(seconds=settings.store_timeout_seconds),
        "timeout": _LONGEST_TRANSFER,
    }


def _retries(settings: StoreSettings) -> RetryConfig:
    return {
        "max_retries": _RETRIES,
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
        # No retry begins later than this, and each may have waited for the time-out.
        "retry_timeout": timedelta(seconds=settings.store_timeout_seconds * (_RETRIES + 1)),
    }


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the errors that every store raises."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise _translate(error) from error


def _translate(error: Exception) -> ImghostError:
    code = _CODE.search(str(error))
    if isinstance(error, FileNotFoundError) and (code is None or code[1] != "NoSuchBucket"):
        return ObjectMissing("No object has this key.")
    if code is None and isinstance(error, PermissionDeniedError | UnauthenticatedError):  # a HEAD has no body
        return Unavailable("The object store refused: AccessDenied. Try again shortly.")
    if code is None:
        return Unavailable("The object store is out of reach. Try again shortly.")
    return Unavailable(f"The object store refused: {code[1]}. Try again shortly.")
