"""Reads the chunks of a PNG and writes the PNG that is decoded: pixels, orientation and one colour profile. Pure.

Nothing else of the file reaches the decoder, so text, animation and damaged metadata cannot disturb it. Pixels must be
undamaged: a wrong CRC of a chunk that holds them is an error. A missing IEND, or data cut off behind the last pixel,
is not. Layout: PNG specification, third edition, sections 5 and 11.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from imghost_imaging.render import png_colour
from imghost_imaging.render.limits import Header, corrupt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = 33  # of signature and IHDR
_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}
_ANYWHERE = {b"eXIf"}
_BEFORE_PIXELS = _ANYWHERE | set(png_colour.CHUNKS)
_GREY = {0, 4}  # colour types
_ANCILLARY = 0x20  # bit of the first letter: set in chunks that a decoder may skip


class _Chunk(NamedTuple):
    """`whole` goes from the length to the CRC. `crc` is None, and `body` may be cut off, when the file ends before."""

    kind: bytes
    whole: memoryview
    body: memoryview
    crc: int | None


def read_header(data: bytes) -> Header:
    """Stored size in pixels, and the number of frames of an APNG. Raises `CorruptImage`."""
    if len(data) < _HEADER_END or data[12:16] != b"IHDR":
        raise corrupt()
    width, height = struct.unpack_from(">II", data, 16)
    return Header(width, height, max(1, _count_frames(data)))


def _count_frames(data: bytes) -> int:
    """Counts the frames themselves, since acTL can say anything; 0 without an acTL before the first pixels."""
    kinds = [chunk.kind for chunk in _chunks(data)]
    before = kinds[: kinds.index(b"IDAT")] if b"IDAT" in kinds else kinds
    return kinds.count(b"fcTL") if b"acTL" in before else 0


def normalise(data: bytes) -> bytes:
    """The PNG to decode instead of `data`. Raises `CorruptImage` when a chunk that holds pixels is damaged."""
    pixels: list[bytes | memoryview] = []
    found: dict[bytes, bytes] = {}
    for chunk in _chunks(data):
        if chunk.kind in _PIXELS:
            pixels.append(_check(chunk))
        elif chunk.kind == b"IEND":
            break
        elif not chunk.kind[0] & _ANCILLARY:
            raise corrupt()  # such as CgBI, whose pixels are not those of a PNG
        elif chunk.kind in (_BEFORE_PIXELS if len(pixels) == 1 else _ANYWHERE) and _is_intact(chunk):
            found.setdefault(chunk.kind, bytes(chunk.body))
    return b"".join((_SIGNATURE, *pixels[:1], *_describe(found, data[25]), *pixels[1:], _write(b"IEND", b"")))


def _describe(found: dict[bytes, bytes], colour_type: int) -> Iterator[bytes]:
    if profile := png_colour.find_profile(found, grey=colour_type in _GREY):
        yield _write(b"iCCP", b"profile\0\0" + zlib.compress(profile, 1))
    if b"eXIf" in found:
        yield _write(b"eXIf", found[b"eXIf"])


def _check(chunk: _Chunk) -> bytes | memoryview:
    """The chunk as it is, or completed when the file ends within its IDAT data; the decoder counts the pixels."""
    if chunk.crc is None and chunk.kind == b"IDAT":
        return _write(chunk.kind, bytes(chunk.body))
    if not _is_intact(chunk):
        raise corrupt()
    return chunk.whole


def _is_intact(chunk: _Chunk) -> bool:
    return chunk.crc is not None and zlib.crc32(chunk.body, zlib.crc32(chunk.kind)) == chunk.crc


def _write(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _chunks(data: bytes) -> Iterator[_Chunk]:
    view, position = memoryview(data), len(_SIGNATURE)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        crc = struct.unpack_from(">I", data, end)[0] if end + 4 <= len(data) else None
        yield _Chunk(kind, view[position : end + 4], view[position + 8 : end], crc)
        if kind == b"IEND":
            return
        position = end + 4
