"""PNG and APNG without metadata: chunks that pixels, colours, density and animation need are copied, no others.

Layout: PNG specification, third edition, sections 5 and 11.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from imghost_imaging.metadata import kept
from imghost_imaging.metadata.errors import Unreadable

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FRAME = 12  # length, type, check sum
_COPIED = frozenset(
    b"IHDR PLTE IDAT tRNS gAMA cHRM sRGB iCCP cICP mDCV cLLI sBIT bKGD pHYs acTL fcTL fdAT".split()
)  # the order of chunks is kept as well
_NOTED = frozenset({b"IHDR", b"IDAT", b"eXIf"})
_NOTICE = b"Copyright\0"
_MAX_NOTICE = 1000


class _Chunk(NamedTuple):
    """Type, payload, and the whole chunk with length and check sum."""

    kind: bytes
    body: bytes
    whole: bytes


def strip(data: bytes, *, keep_copyright: bool) -> Iterator[bytes]:
    """The parts of `data` to deliver, in order. Raises `Unreadable`, possibly after the first parts."""
    seen: set[bytes] = set()
    yield SIGNATURE
    for chunk in _chunks(data):
        if chunk.kind in _COPIED:
            yield chunk.whole
        elif chunk.kind == b"eXIf" and b"eXIf" not in seen:
            tiff = kept.read(chunk.body, keep_copyright=keep_copyright).to_tiff()
            yield _to_chunk(b"eXIf", tiff) if tiff else b""
        elif keep_copyright and chunk.kind == b"tEXt" and _is_notice(chunk.body):
            yield _to_chunk(b"tEXt", chunk.body)
        seen |= _NOTED & {chunk.kind}
    if not {b"IHDR", b"IDAT"} <= seen:
        raise Unreadable("it has no pixels")
    yield _to_chunk(b"IEND", b"")


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """The chunks before IEND, or all of them when it is missing."""
    position = len(SIGNATURE)
    while position < len(data) and data[position + 4 : position + 8] != b"IEND":
        end = position + _FRAME + int.from_bytes(data[position : position + 4], "big")
        if end > len(data):
            raise Unreadable("a chunk is cut off")
        yield _Chunk(data[position + 4 : position + 8], data[position + 8 : end - 4], data[position:end])
        position = end


def _is_notice(body: bytes) -> bool:
    return body.startswith(_NOTICE) and len(body) <= _MAX_NOTICE


def _to_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
