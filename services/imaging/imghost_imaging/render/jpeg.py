"""Writes the JPEG that is decoded: without bytes between its segments, and always with an end marker. Pure.

What the decoder still warns of afterwards is damage of the pixels: too little data, or codes that do not exist.
Layout: ITU-T T.81, annex B.
"""

import re
import struct
from collections.abc import Iterator

from imghost_imaging.render.limits import corrupt

_SOI, _EOI, SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
_APP0 = 0xE0
_SEQUENTIAL = {0xC0, 0xC1, 0xC9}  # frame headers of baseline and extended sequential images
_MARKER = re.compile(rb"\xff([\x01-\xfe])")  # no repeat: that takes quadratic time on a run of FF before a 00
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment: TEM, RSTn, SOI
_WHOLE_SPECTRUM = b"\x00\x3f\x00"
_JFIF_VERSION = b"\x01\x02"


def normalise(data: bytes) -> bytes:
    """The JPEG to decode instead of `data`. Raises `CorruptImage` when the file ends before its first scan."""
    parts: list[bytes | memoryview] = [_SOI]
    sequential = False
    for marker, start, end in segments(data):
        sequential = sequential or marker in _SEQUENTIAL
        if marker == SCAN:
            stop = data.find(_EOI, end)  # never part of a scan
            scans = memoryview(data)[end : stop if stop >= 0 else None]
            return b"".join((*parts, _scan_header(data[start:end], sequential=sequential), scans, _EOI))
        parts.append(_header(data[start:end]))
    raise corrupt()


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker with the start and end of its segment, up to that of the first scan. Bytes between are skipped."""
    position = len(_SOI)
    while match := _MARKER.search(data, position):
        marker, position = match[1][0], match.end()
        if marker in _ALONE:
            continue
        if marker == _EOI[1] or position + 2 > len(data):
            return
        start, position = position - 2, position + struct.unpack_from(">H", data, position)[0]
        if position > len(data):
            return
        yield marker, start, position
        if marker == SCAN:
            return


def _header(segment: bytes) -> bytes:
    """JFIF versions that do not exist are common, and the decoder warns of them."""
    return segment[:9] + _JFIF_VERSION + segment[11:] if segment[1] == _APP0 and segment[4:9] == b"JFIF\0" else segment


def _scan_header(segment: bytes, *, sequential: bool) -> bytes:
    """A sequential scan has all coefficients, whatever its header says: some cameras write other numbers."""
    return segment[:-3] + _WHOLE_SPECTRUM if sequential else segment
