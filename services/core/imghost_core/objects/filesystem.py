"""Objects as files below one folder: for development on one machine, and for tests."""

import asyncio
import errno
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, TypeVar

from imghost_core.errors import Unavailable
from imghost_core.objects.base import ObjectInfo, ObjectMissing

_CHUNK = 256 * 1024
_ATTEMPTS = 10
_T = TypeVar("_T")


class FilesystemStore:
    """An `ObjectStore` in a folder. Writes go to a temporary file that is synced and then renamed into place."""

    def __init__(self, root: Path, *, threads: int = 8) -> None:
        self._root = root.resolve()
        self._incoming = self._root / ".incoming"
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store")

    async def put_file(self, key: str, source: Path, *, content_type: str) -> None:  # noqa: ARG002 - kept by the database
        def copy(target: BinaryIO) -> None:
            with source.open("rb") as body:
                shutil.copyfileobj(body, target, _CHUNK)

        await self._run(self._write, key, copy)

    async def put(self, key: str, body: bytes, *, content_type: str) -> None:  # noqa: ARG002 - kept by the database
        def copy(target: BinaryIO) -> None:
            target.write(body)

        await self._run(self._write, key, copy)

    async def get(self, key: str) -> bytes:
        return await self._run(self._path(key).read_bytes)

    async def stream(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        file: BinaryIO = await self._run(lambda: self._path(key).open("rb"))
        try:
            await self._run(file.seek, start)
            left = length
            while left is None or left > 0:
                chunk = await self._run(file.read, _CHUNK if left is None else min(_CHUNK, left))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            file.close()

    async def stat(self, key: str) -> ObjectInfo:
        found = await self._run(self._path(key).stat)
        return ObjectInfo(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        for info in await self._run(lambda: sorted(self._walk(prefix), key=attrgetter("key"))):
            yield info

    async def delete_prefix(self, prefix: str) -> int:
        return await self._run(self._delete, prefix)

    async def check(self) -> None:
        await self._run(lambda: self._write(".check", lambda target: target.write(b"ok")))

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root) or path == self._root:
            raise ObjectMissing(f"{key!r} is not a key of this store.")
        return path

    def _write(self, key: str, copy: Callable[[BinaryIO], object]) -> None:
        path = self._path(key)
        try:
            self._write_to(path, copy)
        except OSError as error:
            raise Unavailable("The object store cannot be written. Try again shortly.") from error

    def _write_to(self, path: Path, copy: Callable[[BinaryIO], object]) -> None:
        self._incoming.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        try:
            with os.fdopen(descriptor, "wb") as target:
                copy(target)
                target.flush()
                os.fsync(descriptor)
            _move(Path(name), path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def _walk(self, prefix: str) -> Iterator[ObjectInfo]:
        base = self._root / prefix.rpartition("/")[0]
        for path in base.rglob("*"):
            key = path.relative_to(self._root).as_posix()
            if not key.startswith(prefix) or key.startswith("."):
                continue
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file():
                yield ObjectInfo(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def _delete(self, prefix: str) -> int:
        doomed = [self._path(info.key) for info in self._walk(prefix)]
        for path in doomed:
            path.unlink(missing_ok=True)
        for folder in sorted({path.parent for path in doomed}, key=lambda path: len(path.parts), reverse=True):
            self._prune(folder)
        return len(doomed)

    def _prune(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:  # not empty: other objects are below
                return
            folder = folder.parent

    async def _run(self, call: Callable[..., _T], *args: object) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise ObjectMissing("No object has this key.") from error
        except OSError as error:
            raise Unavailable("The object store cannot be read. Try again shortly.") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move(source: Path, target: Path) -> None:
    for _ in range(_ATTEMPTS):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            source.replace(target)
        except FileNotFoundError:  # a concurrent delete has just pruned the folder that was empty
            continue
        return
    raise OSError(errno.EBUSY, "the folder was removed concurrently at every attempt", str(target.parent))
