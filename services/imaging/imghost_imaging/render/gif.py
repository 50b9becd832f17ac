"""Reads the structure of a GIF: its frames, each of which can be decoded by itself, and how they follow each other.

Where the specification is silent or not followed, as browsers do it: delays below 20 ms are 100 ms, the first frame may
enlarge the canvas, zero bytes between blocks are skipped, and another unknown byte ends the file. Pure.
Layout: GIF89a specification, sections 17 to 27.
"""

import re
import struct
import sys
from typing import NamedTuple

_HEAD = 13  # signature, canvas, flags, background, aspect
_DESCRIPTOR = 10
_IMAGE, _EXTENSION = 0x2C, 0x21
_CONTROL, _APPLICATION = 0xF9, 0xFF
CLEAR, RESTORE = 2, 3  # disposal: to transparent, to what was there before the frame
_ZEROS = re.compile(rb"\0*")
_LOOP = re.compile(rb"\x0b(?:NETSCAPE2\.0|ANIMEXTS1\.0)\x03\x01(..)", re.DOTALL)
_MOST_PLAYS = 0xFFFF  # of a WebP
_DEFAULT_DELAY, _SHORTEST_DELAY = 100, 20  # ms
_BLACK_AND_WHITE = b"\0\0\0\xff\xff\xff"
_PALETTE_BYTES = 3 * 256
_TRANSPARENT_FRAME = b"!\xf9\4\1\0\0\0\0" + b",\0\0\0\0\1\0\1\0\0" + b"\2\2\x44\1\0"


class Control(NamedTuple):
    """How a frame is shown: for `delay` ms, what happens to it afterwards, and which index is transparent."""

    delay: int = _DEFAULT_DELAY
    disposal: int = 0
    transparent: int | None = None


class Frame(NamedTuple):
    """One image: place and size in pixels, colours of 3 bytes, and its data from code size to terminator."""

    x: int
    y: int
    width: int
    height: int
    interlaced: bool
    palette: bytes
    data: bytes | memoryview
    control: Control


class Gif(NamedTuple):
    """Canvas in pixels, frames, plays (0: without end), and whether the file ends within the header of a block."""

    width: int
    height: int
    frames: list[Frame]
    plays: int
    truncated: bool

    @property
    def opaque(self) -> bool:
        """Whether no pixel of any frame as it is shown can be transparent."""
        first, last = self.frames[0], self.frames[:-1]
        covers = (first.x, first.y) == (0, 0) and first.width >= self.width and first.height >= self.height
        kept = first.control.disposal != RESTORE and all(frame.control.disposal != CLEAR for frame in last)
        return covers and kept and first.control.transparent is None


def read(data: bytes, *, max_frames: int = sys.maxsize) -> Gif:
    """The structure of the GIF in `data`; reads at most `max_frames` + 1 frames.

    A file that ends within the data of a frame is not `truncated`: whether pixels are missing is seen by decoding it.
    """
    frames: list[Frame] = []
    width, height, plays, truncated = 0, 0, 1, False
    try:
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        palette, position = _read_palette(data, _HEAD, flags)
        control = Control()
        while len(frames) <= max_frames and (position := _skip_zeros(data, position)) < len(data):
            if data[position] == _IMAGE:
                frame, position = _read_frame(data, position, control, palette)
                frames.append(frame)
                control = Control()
            elif data[position] == _EXTENSION:
                control = _read_control(data, position) or control
                plays = _read_plays(data, position, plays)
                position = _after_blocks(data, position + 2)
            else:
                break
    except (IndexError, struct.error):
        truncated = True
    if frames:
        width, height = max(width, frames[0].x + frames[0].width), max(height, frames[0].y + frames[0].height)
    return Gif(width, height, frames, plays, truncated)


def single(frame: Frame, palette: bytes) -> bytes:
    """`frame` as the first of a GIF of its size, in the colours of `palette`, all opaque.

    A second frame has transparency, so that the decoder adds alpha: it is 0 where the data of the first has no pixel.
    """
    screen = struct.pack("<6sHHBBB", b"GIF89a", frame.width, frame.height, 0, 0, 0)
    flags = 0x87 | (0x40 if frame.interlaced else 0)  # 256 colours of its own
    image = struct.pack("<BHHHHB", _IMAGE, 0, 0, frame.width, frame.height, flags)
    return b"".join((screen, image, palette.ljust(_PALETTE_BYTES, b"\0"), frame.data, _TRANSPARENT_FRAME, b";"))


def _skip_zeros(data: bytes, position: int) -> int:
    match = _ZEROS.match(data, position)
    return match.end() if match else position


def _read_palette(data: bytes, position: int, flags: int) -> tuple[bytes, int]:
    """The palette at `position` and its end; a frame without any palette is black and white, as in browsers."""
    if not flags & 0x80:
        return b"", position
    end = position + (3 << (flags & 7) + 1)
    return data[position:end], end


def _read_frame(data: bytes, position: int, control: Control, palette: bytes) -> tuple[Frame, int]:
    x, y, width, height, flags = struct.unpack_from("<HHHHB", data, position + 1)
    own, start = _read_palette(data, position + _DESCRIPTOR, flags)
    compressed, end = _read_blocks(data, start)
    interlaced = bool(flags & 0x40)
    return Frame(x, y, width, height, interlaced, own or palette or _BLACK_AND_WHITE, compressed, control), end


def _read_blocks(data: bytes, start: int) -> tuple[bytes | memoryview, int]:
    """Code size and sub-blocks of an image, and their end. What is missing at the end of the file is completed."""
    position = start + 1
    while position < len(data) and (length := data[position]):
        if position + length >= len(data):
            rest = data[position + 1 :]
            return data[start:position] + bytes((len(rest),)) * bool(rest) + rest + b"\0", len(data)
        position += 1 + length
    if position >= len(data):
        return data[start:] + b"\0", len(data)
    return memoryview(data)[start : position + 1], position + 1


def _read_control(data: bytes, position: int) -> Control | None:
    if data[position + 1] != _CONTROL:
        return None
    flags, delay, transparent = struct.unpack_from("<BHB", data, position + 3)
    milliseconds = delay * 10
    return Control(
        milliseconds if milliseconds >= _SHORTEST_DELAY else _DEFAULT_DELAY,
        flags >> 2 & 7,
        transparent if flags & 1 else None,
    )


def _read_plays(data: bytes, position: int, plays: int) -> int:
    """Plays of the animation after the extension at `position`; it says how often the animation is repeated."""
    match = _LOOP.match(data, position + 2) if data[position + 1] == _APPLICATION else None
    if match is None:
        return plays
    repeats = int.from_bytes(match[1], "little")
    return min(repeats + 1, _MOST_PLAYS) if repeats else 0


def _after_blocks(data: bytes, position: int) -> int:
    """The end of the chain of sub-blocks at `position`; raises `IndexError` when it is cut off."""
    while length := data[position]:
        position += 1 + length
    return position + 1
