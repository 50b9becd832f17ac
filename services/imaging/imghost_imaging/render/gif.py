"""Reads the header of a GIF without a decoder, which would parse every frame before it reports their number.

Layout: GIF89a specification, sections 17 to 27. Pure.
"""

import struct
from typing import NamedTuple

_HEAD = 13  # signature, canvas, flags, background, aspect
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B


class GifHeader(NamedTuple):
    """Canvas in pixels, frames seen (reading stops one beyond the limit), and whether the file ends within a block."""

    width: int
    height: int
    frames: int
    truncated: bool


def read_header(data: bytes, *, max_frames: int) -> GifHeader:
    """The header of a GIF in `data`; reads at most `max_frames` + 1 frames."""
    if len(data) < _HEAD:
        return GifHeader(0, 0, 0, truncated=True)
    width, height = struct.unpack_from("<HH", data, 6)
    position, frames = _HEAD + _table_bytes(data[10]), 0
    while position < len(data) and data[position] != _TRAILER and frames <= max_frames:
        introducer = data[position]
        if introducer == _IMAGE and position + 10 <= len(data):
            position = _after_blocks(data, position + 11 + _table_bytes(data[position + 9]))
            frames += 1
        elif introducer == _EXTENSION:
            position = _after_blocks(data, position + 2)
        else:
            return GifHeader(width, height, frames, truncated=True)
    return GifHeader(width, height, frames, truncated=position > len(data))


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, position: int) -> int:
    """The end of the chain of sub-blocks at `position`; beyond the data when the chain is truncated."""
    while position < len(data) and (length := data[position]):
        position += 1 + length
    return position + 1
