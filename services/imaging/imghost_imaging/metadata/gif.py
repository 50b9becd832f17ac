"""GIF without metadata: frames, their control blocks and the number of loops are copied, no other extension is.

Layout: GIF89a specification, sections 17 to 27.
"""

from collections.abc import Iterator

from imghost_imaging.metadata.errors import Unreadable

_HEAD = 13  # signature, canvas, flags, background, aspect
_DESCRIPTOR = 10
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def strip(data: bytes, *, keep_copyright: bool) -> Iterator[bytes]:  # noqa: ARG001 - GIF has no field for it
    """The parts of `data` to deliver, in order. Raises `Unreadable`, possibly after the first parts."""
    position, frames = _HEAD + _table_bytes(data, 10), 0
    yield data[:position]
    while position < len(data):
        introducer = data[position]
        if introducer == _IMAGE:
            end = _after_image(data, position)
            yield data[position:end]
            position, frames = end, frames + 1
        elif introducer == _EXTENSION and (end := _after_blocks(data, position + 2)) <= len(data):
            yield _extension(data[position:end])
            position = end
        elif introducer == 0:  # old encoders write one between blocks; decoders skip it
            position += 1
        else:  # the trailer, or where decoders stop
            break
    if not frames:
        raise Unreadable("it has no frame")
    yield bytes((_TRAILER,))


def _extension(block: bytes) -> bytes:
    """What stays of an extension: its known fields if it controls frames or loops, else nothing."""
    label, size, body = block[1], block[2], block[3:]
    if label == _CONTROL and size == 4:  # noqa: PLR2004 - section 23
        return block[:7] + b"\0"
    if label == _APPLICATION and body[:size] in _LOOPS and body[size : size + 2] == b"\x03\x01":
        return block[:3] + body[: size + 4] + b"\0"
    return b""


def _after_image(data: bytes, position: int) -> int:
    start = position + _DESCRIPTOR + _table_bytes(data, position + _DESCRIPTOR - 1) + 1  # and the size of its codes
    end = _after_blocks(data, start)
    if end > len(data):
        raise Unreadable("a frame is cut off")
    return end


def _table_bytes(data: bytes, position: int) -> int:
    """Size of the table of colours that the flags at `position` announce."""
    if position >= len(data):
        raise Unreadable("a header is cut off")
    flags = data[position]
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, position: int) -> int:
    """The end of the chain of sub-blocks at `position`; beyond the data when the chain is cut off."""
    while position < len(data) and (length := data[position]):
        position += 1 + length
    return position + 1
