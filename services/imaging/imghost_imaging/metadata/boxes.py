"""Boxes of the ISO base media file format (ISO/IEC 14496-12, 4.2), and a reader of their fields."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from imghost_imaging.metadata.errors import Unreadable

_HEAD, _LARGE_HEAD = 8, 16
_MOST = 10_000  # boxes in one; empty ones take 8 bytes in the file and 200 here


class Box(NamedTuple):
    """A box: its type, where it begins, where its payload begins, and where it ends."""

    kind: bytes
    start: int
    body: int
    end: int


def split(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes from `start` to `end`. Raises `Unreadable` when they do not fill it, or are too many."""
    count = 0
    while start + _HEAD <= end:
        if (count := count + 1) > _MOST:
            raise Unreadable("it has too many boxes")
        size, kind, body = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8], start + _HEAD
        if size == 1:
            size, body = int.from_bytes(data[start + 8 : start + 16], "big"), start + _LARGE_HEAD
        stop = end if size == 0 else start + size
        if not body <= stop <= end:
            raise Unreadable("a box is cut off")
        yield Box(kind, start, body, stop)
        start = stop
    if start != end:
        raise Unreadable("bytes lie between its boxes")


def to_box(kind: bytes, body: bytes) -> bytes:
    """A box with this payload."""
    return struct.pack(">I", _HEAD + len(body)) + kind + body


def to_free(size: int) -> bytes:
    """A box of `size` bytes that readers skip; `size` is at least 8."""
    return to_box(b"free", bytes(size - _HEAD))


class Fields:
    """Reads the fields of one box in order. Every method raises `Unreadable` beyond its end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def number(self, size: int) -> int:
        """The next `size` bytes as a number; 0 for none."""
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if self.position + size > len(self.data):
            raise Unreadable("a box ends within a field")
        self.position += size
        return self.data[self.position - size : self.position]

    def version(self) -> tuple[int, int]:
        """Version and flags of a full box."""
        return self.number(1), self.number(3)
