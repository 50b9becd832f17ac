"""What the header of a file says about the memory that its decoder needs. Bytes that make no sense are an empty image.

A decoder that then finds another image than the header announced runs into the limit that the estimate gives it.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from imghost_imaging.formats import Format
from imghost_imaging.render import gif, jpeg
from imghost_imaging.render.limits import corrupt

_COEFFICIENT = 2  # bytes (libjpeg: JCOEF)
_BLOCK = 16  # pixels to which sides are rounded up, at most two blocks of 8
_SEQUENTIAL_FRAMES = range(0xC0, 0xC2)
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # of PNG, by colour type; palettes are expanded
_TRANSPARENT = {4, 6}
_GIF_BYTES = 13  # a pixel of the canvas: decoder, canvas before, frame, masks
_MOST_FRAMES = 5_000  # the highest limit that can be set; counting more takes memory itself
_AVIF_BYTES = 16  # a pixel of 8 bits: planes, reference frames, RGB
_AVIF_FULL_CHROMA, _AVIF_DEEP, _AVIF_ALPHA = 4, 8, 4  # more of them
_MOST_ITEMS = 1_000  # a grid has some hundred
_ISPE = re.compile(rb"ispe\0\0\0\0(.{8})", re.DOTALL)
_AV1C = re.compile(rb"av1C\x81.(.)", re.DOTALL)


class Shape(NamedTuple):
    """Size in pixels, frames, bytes of a pixel in rows, bytes held for the whole image in addition, and whether it may
    be transparent.
    """

    width: int
    height: int
    frames: int = 1
    pixel: int = 4
    whole: int = 0
    alpha: bool = False


def read(data: bytes, kind: Format) -> Shape:
    """The shape of the image in `data`. Raises `CorruptImage` for an AVIF of too many items."""
    try:
        return _READERS[kind](data)
    except (IndexError, struct.error, KeyError):
        return Shape(0, 0)


def _jpeg(data: bytes) -> Shape:
    """Several scans need the coefficients of the whole image (libjpeg: jdcoefct.c)."""
    shape, several, components = Shape(0, 0), False, 0
    for marker, start, _ in jpeg.segments(data):
        if marker in _FRAMES and not components:  # decoders refuse a second one
            height, width, components = struct.unpack_from(">HHB", data, start + 5)
            factors = [data[start + 11 + 3 * number] for number in range(components)]
            shape = Shape(width, height, 1, components, _coefficients(width, height, factors))
            several = marker not in _SEQUENTIAL_FRAMES
        elif marker == jpeg.SCAN:
            several = several or data[start + 4] < components
    return shape if several else shape._replace(whole=0)


def _coefficients(width: int, height: int, factors: list[int]) -> int:
    across, down = max(factor >> 4 for factor in factors), max(factor & 15 for factor in factors)
    samples = (width + _BLOCK) * (height + _BLOCK) * sum((factor >> 4) * (factor & 15) for factor in factors)
    return _COEFFICIENT * samples // max(1, across * down)


def _png(data: bytes) -> Shape:
    width, height, depth, colour, interlaced = struct.unpack_from(">IIBB2xB", data, 16)
    transparent = b"tRNS" in data
    channels = _CHANNELS[colour] + transparent
    pixel = channels * (2 if depth == 16 else 1)  # noqa: PLR2004
    whole = pixel * width * height * 9 // 8 if interlaced else 0
    return Shape(width, height, 1, pixel, whole, transparent or colour in _TRANSPARENT)


def _gif(data: bytes) -> Shape:
    image = gif.read(data, max_frames=_MOST_FRAMES)
    largest = max([image.width * image.height, *(frame.width * frame.height for frame in image.frames)])
    return Shape(image.width, image.height, len(image.frames), 4, _GIF_BYTES * largest, not image.opaque)


def _webp(data: bytes) -> Shape:
    """A lossy still is scaled while it is decoded; lossless ones and canvases are held whole."""
    kind, frames, has_plane = data[12:16], data.count(b"ANMF"), b"ALPH" in data
    alpha = False
    if kind == b"VP8X":
        alpha = has_plane or bool(data[20] & 0x10)
        width, height = (1 + int.from_bytes(data[start : start + 3], "little") for start in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height, alpha = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1)
    else:
        width, height = (size & 0x3FFF for size in struct.unpack_from("<HH", data, 26))
    canvases = 2 if frames > 1 else int(b"VP8L" in data)
    planes = 4 * canvases + has_plane  # bytes: alpha is decoded whole before it is scaled
    return Shape(width, height, max(1, frames), 4, planes * width * height, alpha)


def _avif(data: bytes) -> Shape:
    """The largest of its items, since tiles and previews have sizes as well."""
    width = height = 0
    for found in _limited(_ISPE.finditer(data)):
        width, height = max((width, height), struct.unpack(">II", found[1]), key=lambda size: size[0] * size[1])
    deep = full_chroma = False
    for found in _limited(_AV1C.finditer(data)):
        flag = found[1][0]
        deep, full_chroma = deep or bool(flag & 0x40), full_chroma or not flag & 0x18
    alpha = b"auxC" in data
    pixel = _AVIF_BYTES + _AVIF_DEEP * deep + _AVIF_FULL_CHROMA * full_chroma + _AVIF_ALPHA * alpha
    return Shape(width, height, 1, 4, pixel * width * height, alpha)


def _limited(found: Iterator[re.Match[bytes]]) -> Iterator[re.Match[bytes]]:
    for count, one in enumerate(found):
        if count == _MOST_ITEMS:
            raise corrupt()
        yield one


_READERS = {"jpeg": _jpeg, "png": _png, "gif": _gif, "webp": _webp, "avif": _avif}
