"""The containers that images come in: segments, chunks and boxes, put where a test wants them."""

import struct
import zlib

Gps = tuple[float, float]
"""Degrees north and east."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG, with its check sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def split_png(body: bytes) -> tuple[bytes, bytes]:
    """Signature and IHDR, and the rest."""
    return body[:33], body[33:]


def box(kind: bytes, body: bytes) -> bytes:
    """A box of the ISO base media format: HEIF, AVIF, MP4."""
    return struct.pack(">I", 8 + len(body)) + kind + body


def insert(jpeg: bytes, marker: int, segment: bytes) -> bytes:
    """`jpeg` with one more segment directly after its first marker."""
    return jpeg[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def tiff(orientation: int, artist: str, gps: Gps | None) -> bytes:
    """A little-endian TIFF block with one directory, and a GPS directory behind it."""
    make, by = b"imghost test\0", artist.encode() + b"\0"
    entries = [(0x010F, 2, make), (0x0112, 3, struct.pack("<HH", orientation, 0)), (0x013B, 2, by)]
    if gps is None:
        return b"II*\0" + struct.pack("<I", 8) + _directory(entries, 8)
    probe = _directory([*entries, (0x8825, 4, struct.pack("<I", 0))], 8)
    position = 8 + len(probe)
    main = _directory([*entries, (0x8825, 4, struct.pack("<I", position))], 8)
    places = [(1, 2, b"N\0"), (2, 5, _degrees(gps[0])), (3, 2, b"E\0"), (4, 5, _degrees(gps[1]))]
    return b"II*\0" + struct.pack("<I", 8) + main + _directory(places, position)


def _directory(entries: list[tuple[int, int, bytes]], position: int) -> bytes:
    """A TIFF directory that lies at `position`; values longer than four bytes follow it."""
    sizes = {2: 1, 3: 2, 4: 4, 5: 8}
    rows, tail = b"", b""
    start = position + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        count = 1 if kind == 3 else len(value) // sizes[kind]
        if len(value) <= 4:
            place = value.ljust(4, b"\0")
        else:
            place, tail = struct.pack("<I", start + len(tail)), tail + value
        rows += struct.pack("<HHI", tag, kind, count) + place
    return struct.pack("<H", len(entries)) + rows + b"\0\0\0\0" + tail


def _degrees(value: float) -> bytes:
    minutes, seconds = divmod(value % 1 * 3600, 60)
    return struct.pack("<6I", int(value), 1, int(minutes), 1, int(seconds * 100), 100)
