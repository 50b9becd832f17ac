"""The bytes of one upload in an unlinked temporary file, hashed as they arrive, and freed even on SIGKILL."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imghost_api.images.upload.errors import NoDiskSpace, UploadTimeout, UploadTooLarge
from imghost_api.images.upload.multipart import MAX_FIELD_BYTES, UploadParser
from imghost_api.spool_space import HeldBytes, Source, SpoolSpace

_BATCH = 256 * 1024


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A received file: path, size in bytes, SHA-256 in hex, and the file name the client sent."""

    path: Path
    size: int
    sha256: str
    file_name: str


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A body that is still unread, and the head that came with it; `declared` is its Content-Length."""

    body: AsyncIterator[bytes]
    content_type: str
    declared: int | None
    source: Source


@asynccontextmanager
async def receive(
    incoming: IncomingFile, space: SpoolSpace, *, limit: int, seconds: float
) -> AsyncIterator[ReceivedFile]:
    """Receive a file of at most `limit` bytes within `seconds`. Its workspace has a place less while it arrives.

    Raises `UploadTooLarge` as soon as that is certain, `UploadTimeout`, and what `UploadParser` and `space` raise.
    """
    require_size(incoming.declared, limit)
    with space.hold(incoming.source) as held, _open() as file:
        spool = _Spool(file, held)
        parser = UploadParser(incoming.content_type, limit=limit, write=spool.write)
        with space.receive(incoming.source.workspace):
            await _read(incoming.body, parser, spool, seconds)
        parser.finish()
        yield ReceivedFile(spool.path, parser.size, spool.sha256, parser.file_name or "")


def require_size(declared: int | None, limit: int) -> None:
    """Raise `UploadTooLarge` when a body of `declared` bytes cannot have a file of at most `limit`."""
    if declared is not None and declared > limit + MAX_FIELD_BYTES:
        raise UploadTooLarge(limit)


async def _read(body: AsyncIterator[bytes], parser: UploadParser, spool: "_Spool", seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            async for chunk in body:
                parser.feed(chunk)
                await spool.flush(at_least=_BATCH)
            await spool.flush(at_least=1)
    except TimeoutError as error:
        raise UploadTimeout(f"The body did not arrive within {seconds:.0f} s. Send it again.") from error


class _Spool:
    """Buffers what the parser writes; disk and hash run in a thread, one batch at a time."""

    def __init__(self, file: BinaryIO, held: HeldBytes) -> None:
        self._file, self._held, self._hash, self._buffer = file, held, hashlib.sha256(), bytearray()
        # The file has no name, so that the kernel frees it when the process is killed; this path still opens it.
        self.path = Path(f"/proc/self/fd/{file.fileno()}")

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        self._held.grow(len(data))
        self._buffer += data

    async def flush(self, *, at_least: int) -> None:
        if len(self._buffer) >= at_least:
            batch, self._buffer = self._buffer, bytearray()
            await asyncio.to_thread(self._write_batch, batch)

    def _write_batch(self, batch: bytearray) -> None:
        try:
            self._file.write(batch)
            self._file.flush()
        except OSError as error:
            raise NoDiskSpace from error
        self._hash.update(batch)


def _open() -> BinaryIO:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise NoDiskSpace from error
