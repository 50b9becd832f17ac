"""WebP without metadata: chunks of pixels, colours and animation are copied, also within frames, no others.

Layout: RFC 9649, section 2.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from imghost_imaging.metadata import kept
from imghost_imaging.metadata.errors import Unreadable

_HEAD = 12
_STILL = frozenset({b"ALPH", b"VP8 ", b"VP8L"})
_COPIED = _STILL | {b"ICCP", b"ANIM"}
_FRAME_HEAD = 16  # of ANMF, before its chunks
_EXIF_FLAG, _XMP_FLAG, _ICC_FLAG, _KNOWN_FLAGS = 0x08, 0x04, 0x20, 0x3E
_EXTENDED = 10  # bytes of VP8X
_MOST_CHUNKS = 20_000  # empty ones take 8 bytes in the file and 200 here


class _Chunk(NamedTuple):
    kind: bytes
    body: bytes


def strip(data: bytes, *, keep_copyright: bool) -> Iterator[bytes]:
    """The parts of `data` to deliver. Raises `Unreadable`."""
    chunks = list(_chunks(data, _HEAD, min(len(data), 8 + int.from_bytes(data[4:8], "little"))))
    if not {chunk.kind for chunk in chunks} & {b"VP8 ", b"VP8L", b"ANMF"}:
        raise Unreadable("it has no pixels")
    blocks = [chunk.body for chunk in chunks if chunk.kind == b"EXIF"]
    exif = kept.first(blocks, keep_copyright=keep_copyright).to_tiff()
    has_icc = any(chunk.kind == b"ICCP" for chunk in chunks)
    body = b"".join(_copy(chunk, has_icc=has_icc, has_exif=bool(exif)) for chunk in chunks)
    if exif and chunks[0].kind == b"VP8X":  # elsewhere decoders do not look for EXIF
        body += _to_chunk(b"EXIF", exif)
    yield b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP"
    yield body


def _copy(chunk: _Chunk, *, has_icc: bool, has_exif: bool) -> bytes:
    """The chunk as it is delivered; empty for one that is not."""
    if chunk.kind in _COPIED:
        return _to_chunk(*chunk)
    if chunk.kind == b"VP8X":
        return _to_chunk(b"VP8X", _extended(chunk.body, has_icc=has_icc, has_exif=has_exif))
    if chunk.kind == b"ANMF":
        head, inner = chunk.body[:_FRAME_HEAD], _chunks(chunk.body, _FRAME_HEAD, len(chunk.body))
        return _to_chunk(b"ANMF", head + b"".join(_to_chunk(*part) for part in inner if part.kind in _STILL))
    return b""


def _extended(body: bytes, *, has_icc: bool, has_exif: bool) -> bytes:
    """The header of an extended file, whose flags name what the file contains now."""
    if len(body) < _EXTENDED:
        raise Unreadable("its header is cut off")
    flags = body[0] & _KNOWN_FLAGS & ~(_EXIF_FLAG | _XMP_FLAG | _ICC_FLAG)
    flags |= (_ICC_FLAG if has_icc else 0) | (_EXIF_FLAG if has_exif else 0)
    return bytes((flags, 0, 0, 0)) + body[4:_EXTENDED]


def _chunks(data: bytes, position: int, end: int) -> Iterator[_Chunk]:
    count = 0
    while position + 8 <= end:
        if (count := count + 1) > _MOST_CHUNKS:
            raise Unreadable("it has too many chunks")
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if position + 8 + size > end:
            raise Unreadable("a chunk is cut off")
        yield _Chunk(data[position : position + 4], data[position + 8 : position + 8 + size])
        position += 8 + size + size % 2


def _to_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
