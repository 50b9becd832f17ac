"""JPEG without metadata: tables, frames and scans are copied, every other segment and all bytes around them are not.

Layout: ITU-T T.81, annex B; JFIF 1.02; EXIF 2.3, 4.7; ICC.1:2010, B.4.
"""

import re
import struct
from collections.abc import Iterator

from imghost_imaging.metadata import kept
from imghost_imaging.metadata.errors import Unreadable

_SOI, _EOI, _SOS, _JFIF, _EXIF, _ICC, _ADOBE = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_DNL = 0xDC
# Frame headers and arithmetic or Huffman tables (C0-CF but for the reserved C8), quantisation, restarts, lines.
_CODING = frozenset({*range(0xC0, 0xD0), 0xDB, _DNL, 0xDD}) - {0xC8}
_FRAMES = _CODING - {0xC4, 0xCC, 0xDB, _DNL, 0xDD}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # without a length
_BEHIND_SCAN = _CODING | {_SOS, _EOI, 0xFE, *range(0xE0, 0xF0)}
# Patterns that start with one literal byte are searched for in C from one FF to the next: 1 ms for 2 MB instead of 19.
# They match the last of several FF: a repeat takes quadratic time on a run of FF before a 00.
_NEXT = re.compile(rb"\xff([^\x00\xff])")
_AFTER_SCAN = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # 00 is a stuffed byte, D0-D7 are restarts
_JFIF_HEAD, _ADOBE_SIZE = 12, 12
# Without an EOI nothing says where the last scan ends. Text does not occur in entropy-coded data, a trailer has some.
_TEXT = re.compile(rb"[\x20-\x7e]{24}")


def strip(data: bytes, *, keep_copyright: bool) -> Iterator[bytes]:
    """The parts of `data` to deliver, in order. Raises `Unreadable`, possibly after the first parts."""
    walker = _Walker(data, keep_copyright=keep_copyright)
    yield b"\xff\xd8"
    yield from walker.parts()
    yield b"\xff\xd9"


class _Walker:
    def __init__(self, data: bytes, *, keep_copyright: bool) -> None:
        self._data, self._position = data, 2
        self._keep_copyright = keep_copyright
        self._seen_exif = self._seen_frame = self._seen_scan = False

    def parts(self) -> Iterator[bytes]:
        while (found := _NEXT.search(self._data, self._position)) and found[1][0] != _EOI:
            marker, self._position = found[1][0], found.end()
            if marker in _ALONE:
                continue
            body = self._body()
            yield from self._segment(marker, body)
            if marker == _SOS:
                yield self._scan()
        if not self._seen_scan:
            raise Unreadable("it has no scan")

    def _body(self) -> bytes:
        """The payload of the segment whose length is at the position, which moves behind it."""
        start = self._position
        length = int.from_bytes(self._data[start : start + 2], "big")
        if length < 2 or start + length > len(self._data):  # noqa: PLR2004 - the length counts its own two bytes
            raise Unreadable("a segment is cut off")
        self._position = start + length
        return self._data[start + 2 : start + length]

    def _segment(self, marker: int, body: bytes) -> Iterator[bytes]:
        if marker in _CODING or marker == _SOS:
            self._seen_frame |= marker in _FRAMES
            if marker == _SOS and not self._seen_frame:
                raise Unreadable("a scan precedes its frame")
            yield _to_segment(marker, body)
        elif marker == _JFIF and body.startswith(b"JFIF\0") and len(body) >= _JFIF_HEAD:
            yield _to_segment(marker, body[:_JFIF_HEAD] + b"\0\0")  # density stays, the thumbnail does not
        elif marker == _ICC and body.startswith(b"ICC_PROFILE\0"):
            yield _to_segment(marker, body)
        elif marker == _ADOBE and body.startswith(b"Adobe") and len(body) >= _ADOBE_SIZE:
            yield _to_segment(marker, body[:_ADOBE_SIZE])  # says how colours are stored
        elif marker == _EXIF and body.startswith(kept.PREFIX) and not self._seen_exif:
            self._seen_exif = True  # decoders read the first
            tiff = kept.read(body, keep_copyright=self._keep_copyright).to_tiff()
            yield _to_segment(marker, kept.PREFIX + tiff) if tiff else b""

    def _scan(self) -> bytes:
        """The entropy-coded data at the position, which moves to the marker behind it."""
        self._seen_scan = True
        start, found = self._position, _AFTER_SCAN.search(self._data, self._position)
        self._position = found.start() if found else len(self._data)
        if found is None and _TEXT.search(self._data, start):
            raise Unreadable("it has no end marker, and text behind its pixels")
        if found and found[1][0] not in _BEHIND_SCAN:
            raise Unreadable("a scan is damaged")
        return self._data[start : self._position].rstrip(b"\xff")  # fill bytes of the marker


def _to_segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
