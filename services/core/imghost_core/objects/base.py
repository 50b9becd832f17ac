"""The protocol of every object store. An unreachable store is `Unavailable`; an absent object is `ObjectMissing`."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from imghost_core.errors import NotFound


class ObjectMissing(NotFound):
    """No object has this key."""

    code = "object_missing"


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as the store lists it: key without the store's own prefix, size in bytes, time of the last change."""

    key: str
    size: int
    modified: datetime


class ObjectStore(Protocol):
    """Objects by key. Every method is safe to call concurrently."""

    async def put_file(self, key: str, source: Path, *, content_type: str) -> None:
        """Store a file; the object appears whole or not at all, and is durable when this returns."""

    async def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """Store bytes, as `put_file` does."""

    async def get(self, key: str) -> bytes:
        """The whole object; raises `ObjectMissing`."""

    def stream(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The object, or `length` bytes of it from `start`, in chunks; raises `ObjectMissing` at the first."""

    async def stat(self, key: str) -> ObjectInfo:
        """Size and time of one object; raises `ObjectMissing`."""

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Every object whose key starts with `prefix`."""

    async def delete_prefix(self, prefix: str) -> int:
        """Delete every object whose key starts with `prefix`; it is no error if there is none. Returns their number."""

    async def check(self) -> None:
        """Raise `Unavailable` when the store cannot be reached or the credentials do not work."""

    async def close(self) -> None:
        """Release threads and connections."""
