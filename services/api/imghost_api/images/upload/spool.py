"""The bytes of one upload on disk, hashed as they arrive, and gone with this process whatever ends it."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imghost_api.images.upload.multipart import MOST_FIELD_BYTES, UploadParser, too_large
from imghost_core.errors import ImghostError, Unavailable

_BATCH = 512 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A whole upload: where its bytes are, how many, their SHA-256 in hex, and the name it came with."""

    path: Path
    size: int
    sha256: str
    file_name: str


class BodyTimeout(ImghostError):
    """The body came too slowly."""

    status, code, title = 408, "upload_timeout", "The upload took too long"


@asynccontextmanager
async def receive(
    body: AsyncIterator[bytes], *, content_type: str, declared: int | None, limit: int, seconds: float
) -> AsyncIterator[Received]:
    """Take in a body of at most `limit` bytes of file within `seconds`; `declared` is its Content-Length.

    Raises `TooLarge` as soon as that is certain, `InvalidRequest` for a malformed body.
    """
    if declared is not None and declared > limit + MOST_FIELD_BYTES:
        raise too_large(limit)
    with _open() as file:
        spool = _Spool(file)
        parser = UploadParser(content_type, limit=limit, keep=spool.keep)
        try:
            async with asyncio.timeout(seconds):
                async for chunk in body:
                    parser.feed(chunk)
                    await spool.flush(at_least=_BATCH)
                await spool.flush(at_least=1)
        except TimeoutError as error:
            raise BodyTimeout(f"The body did not arrive within {seconds:.0f} s. Try again.") from error
        parser.finish()
        yield Received(spool.path, parser.size, spool.sha256, parser.file_name or "")


class _Spool:
    """Collects what the parser keeps; disk and hash run in a thread, one batch at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self._waiting = file, hashlib.sha256(), bytearray()
        # The file has no name, so that nothing is left of it when the process is killed; this reaches it all the same.
        self.path = Path(f"/proc/self/fd/{file.fileno()}")

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def keep(self, data: bytes) -> None:
        self._waiting += data

    async def flush(self, *, at_least: int) -> None:
        if len(self._waiting) >= at_least:
            batch, self._waiting = self._waiting, bytearray()
            await asyncio.to_thread(self._write, batch)

    def _write(self, batch: bytearray) -> None:
        try:
            self._file.write(batch)
            self._file.flush()
        except OSError as error:
            raise Unavailable("There is no room to receive the upload right now. Try again shortly.") from error
        self._hash.update(batch)


def _open() -> BinaryIO:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise Unavailable("There is no room to receive the upload right now. Try again shortly.") from error
