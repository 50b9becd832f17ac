"""What a file is made of, read without the code under test: the kinds of its segments, chunks, blocks and boxes.

Each function fails on a file that is not sound to its last byte, so that nothing can hide behind or between the parts.
"""

import struct
from collections.abc import Callable, Iterator


def jpeg(data: bytes) -> Iterator[str]:
    """Markers, with the identifier of application segments."""
    assert data.startswith(b"\xff\xd8")
    position = 2
    while True:
        assert data[position] == 0xFF, f"no marker at {position}"
        marker = data[position + 1]
        if marker == 0xD9:
            assert position + 2 == len(data), "bytes behind the end"
            return
        (size,) = struct.unpack_from(">H", data, position + 2)
        body = data[position + 4 : position + 2 + size]
        yield f"{marker:X} {body.split(bytes(1))[0].decode('latin-1')}" if marker >= 0xE0 else f"{marker:X}"
        position += 2 + size
        if marker == 0xDA:
            while data[position] != 0xFF or data[position + 1] in {0, *range(0xD0, 0xD8)}:
                position += 1
                if position == len(data) - 2:
                    break


def png(data: bytes) -> Iterator[str]:
    """Types of chunks."""
    position = 8
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + size
        yield kind.decode("latin-1")
        assert (kind == b"IEND") == (position == len(data)), "the end is not the end"


def gif(data: bytes) -> Iterator[str]:
    """`frame`, `control`, names of applications, and numbers of other extensions."""
    position = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[position] != 0x3B:
        if data[position] == 0x2C:
            flags = data[position + 9]
            position += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            yield "frame"
        else:
            assert data[position] == 0x21, f"no block at {position}"
            label = data[position + 1]
            position += 2
            yield {0xF9: "control", 0xFF: data[position + 1 : position + 12].decode("latin-1")}.get(label, f"{label:X}")
        while data[position]:
            position += 1 + data[position]
        position += 1
    assert position + 1 == len(data), "bytes behind the trailer"


def webp(data: bytes) -> Iterator[str]:
    """Types of chunks, those in frames too; the flags of the header must name the chunks that are there."""
    assert struct.unpack_from("<4sI4s", data) == (b"RIFF", len(data) - 8, b"WEBP")
    kinds = list(_riff(data[12:]))
    if kinds[0] == "VP8X":
        for flag, kind in ((0x20, "ICCP"), (0x08, "EXIF"), (0x04, "XMP ")):
            assert bool(data[20] & flag) == (kind in kinds), f"the flag of {kind} is wrong"
    yield from kinds


def _riff(data: bytes) -> Iterator[str]:
    position = 0
    while position < len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        yield kind.decode("latin-1")
        if kind == b"ANMF":
            yield from _riff(data[position + 8 + 16 : position + 8 + size])
        position += 8 + size + size % 2
    assert position == len(data), "bytes behind the last chunk"


def avif(data: bytes) -> Iterator[str]:
    """Types of boxes; boxes that are to be skipped must be empty."""
    position = 0
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        size = size or len(data) - position
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
        if kind == b"free":
            assert not any(data[position + 8 : position + size]), "a box to be skipped is not empty"
        yield kind.decode("latin-1")
        if kind == b"meta":
            yield from avif(data[position + 12 : position + size])
        if kind == b"iinf":
            wide = (data[position + 8] and 4) or 2
            yield from avif(data[position + 12 + wide : position + size])
        if kind == b"infe":
            number = 2 if data[position + 8] == 2 else 4
            yield "item " + data[position + 14 + number : position + 18 + number].decode("latin-1")
        position += size
    assert position == len(data), "bytes behind the last box"


def _words(text: str) -> set[str]:
    return set(text.split())


CODING = {*(f"{marker:X}" for marker in range(0xC0, 0xD0)), "DA", "DB", "DC", "DD"}
PARTS: dict[str, tuple[Callable[[bytes], Iterator[str]], set[str]]] = {
    "jpeg": (jpeg, CODING | {"E0 JFIF", "E1 Exif", "E2 ICC_PROFILE", "EE Adobe"}),
    "png": (
        png,
        _words("IHDR PLTE IDAT tRNS gAMA cHRM sRGB iCCP cICP mDCV cLLI sBIT bKGD pHYs acTL fcTL fdAT eXIf IEND"),
    ),
    "gif": (gif, {"frame", "control", "NETSCAPE2.0", "ANIMEXTS1.0"}),
    "webp": (webp, {"VP8X", "ICCP", "ANIM", "ANMF", "ALPH", "VP8 ", "VP8L", "EXIF"}),
    "avif": (
        avif,
        _words("ftyp meta moov mdat free hdlr pitm iloc iinf infe iref iprp idat")
        | {"item av01", "item grid", "item iovl", "item iden"},
    ),
}
"""How to read each format, and the parts that a delivered original may have. EXIF may hold the orientation only."""


def unexpected(data: bytes, kind: str) -> set[str]:
    """The parts of a file that a delivered original must not have."""
    read, allowed = PARTS[kind]
    return set(read(data)) - allowed
