"""What may stay of an image's EXIF: how to turn the image and, where the tenant wants it, its copyright notice."""

import struct
from dataclasses import dataclass

_ORIENTATION, _COPYRIGHT = 0x0112, 0x8298
_ASCII, _SHORT = 2, 3
_MAX_NOTICE = 1000  # bytes; longer texts are no notice
_ENTRY = 12
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
PREFIX = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class Kept:
    """EXIF orientation (1 is upright), and the copyright notice, empty when there is none or it is not kept."""

    orientation: int = 1
    copyright: bytes = b""

    def to_tiff(self) -> bytes:
        """A TIFF block with these tags and no others; empty when there is nothing to keep."""
        entries = []
        if self.orientation != 1:
            entries.append((_ORIENTATION, _SHORT, struct.pack("<HH", self.orientation, 0), 1))
        if self.copyright:
            entries.append((_COPYRIGHT, _ASCII, self.copyright + b"\0", len(self.copyright) + 1))
        return _directory(entries) if entries else b""


def read(exif: bytes, *, keep_copyright: bool) -> Kept:
    """What to keep of an EXIF block, with or without its prefix; a damaged block has nothing to keep."""
    tiff = exif.removeprefix(PREFIX)
    try:
        found = _read_directory(tiff, _ORDERS[tiff[:4]])
    except (KeyError, struct.error):
        return Kept()
    orientation = found.get(_ORIENTATION, b"")
    turned = orientation[0] if len(orientation) == 1 and 1 <= orientation[0] <= 8 else 1  # noqa: PLR2004 - EXIF 2.3
    return Kept(turned, found.get(_COPYRIGHT, b"") if keep_copyright else b"")


def first(blocks: list[bytes], *, keep_copyright: bool) -> Kept:
    """What to keep of the first block, as decoders read it; `Kept()` when there is none."""
    return read(blocks[0], keep_copyright=keep_copyright) if blocks else Kept()


def _read_directory(tiff: bytes, order: str) -> dict[int, bytes]:
    """Orientation as one byte and the notice as text, from the first directory; values out of bounds are left out."""
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    found: dict[int, bytes] = {}
    for position in range(start + 2, min(start + 2 + _ENTRY * count, len(tiff) - _ENTRY + 1), _ENTRY):
        tag, kind, length = struct.unpack_from(f"{order}HHI", tiff, position)
        if (tag, kind, length) == (_ORIENTATION, _SHORT, 1):
            found[tag] = bytes((min(struct.unpack_from(f"{order}H", tiff, position + 8)[0], 255),))
        elif (tag, kind) == (_COPYRIGHT, _ASCII) and length <= _MAX_NOTICE:
            at = position + 8 if length <= 4 else struct.unpack_from(f"{order}I", tiff, position + 8)[0]  # noqa: PLR2004
            found[tag] = tiff[at : at + length].rstrip(b"\0 ")
    return found


def _directory(entries: list[tuple[int, int, bytes, int]]) -> bytes:
    """A little-endian TIFF block of one directory; values longer than four bytes follow it."""
    rows, tail = b"", b""
    start = 8 + 2 + _ENTRY * len(entries) + 4
    for tag, kind, value, count in entries:
        place = value.ljust(4, b"\0")
        if len(value) > 4:  # noqa: PLR2004 - TIFF 6.0: up to four bytes are stored in the entry
            place, tail = struct.pack("<I", start + len(tail)), tail + value
        rows += struct.pack("<HHI", tag, kind, count) + place
    return struct.pack("<4sIH", b"II*\0", 8, len(entries)) + rows + b"\0\0\0\0" + tail
