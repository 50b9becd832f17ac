"""Images written chunk by chunk and block by block, for what no encoder writes: odd colours, disposals and damage."""

import struct
import zlib

import numpy as np
import pyvips
from numpy.typing import NDArray

from support.image_formats import PNG_SIGNATURE, chunk

Bytes = NDArray[np.uint8]
PALETTE = np.array(
    [
        [0, 0, 0],
        [255, 255, 255],
        [220, 30, 30],
        [30, 200, 40],
        [40, 60, 230],
        [240, 220, 40],
        [200, 40, 200],
        [9, 9, 9],
    ],
    np.uint8,
)


def colours(width: int = 96, height: int = 64) -> Bytes:
    """Four different corners and gradients between them, in sRGB."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height - 1, width - 1]).reshape(2, 1, 1)
    corners = np.array([[[240, 16, 24], [12, 215, 40]], [[20, 40, 240], [245, 225, 10]]], float)
    top = corners[0, 0] * (1 - x)[..., None] + corners[0, 1] * x[..., None]
    bottom = corners[1, 0] * (1 - x)[..., None] + corners[1, 1] * x[..., None]
    mixed: Bytes = (top * (1 - y)[..., None] + bottom * y[..., None]).round().astype(np.uint8)
    return mixed


def png(pixels: Bytes | NDArray[np.uint16], before: bytes = b"", end: bytes | None = None) -> bytes:
    """A PNG of grey, RGB or RGBA `pixels`, 8 or 16 bits a channel; `before` are chunks in front of the pixels."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    depth = 8 * pixels.itemsize
    rows = pixels.astype(f">u{pixels.itemsize}").reshape(height, -1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = struct.pack(">IIBBBBB", width, height, depth, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    last = chunk(b"IEND", b"") if end is None else end
    return PNG_SIGNATURE + chunk(b"IHDR", head) + before + chunk(b"IDAT", packed) + last


def jpeg(pixels: Bytes, profile: bytes = b"") -> bytes:
    """A JPEG of `pixels`, as good as it gets, with a colour profile."""
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    image = image.copy(interpretation="b-w" if image.bands == 1 else "srgb")
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return bytes(image.jpegsave_buffer(Q=98, subsample_mode="off", keep="icc"))


def apng(frames: int, width: int = 8, height: int = 8, announced: int | None = None) -> bytes:
    """An animated PNG of black frames, whose header announces another number when that is given."""
    packed = zlib.compress(bytes((width + 1) * height), 9)
    parts = [chunk(b"acTL", struct.pack(">II", frames if announced is None else announced, 0))]
    sequence = 0
    for number in range(frames):
        parts.append(chunk(b"fcTL", struct.pack(">5IHHBB", sequence, width, height, 0, 0, 1, 10, 0, 0)))
        sequence += 1
        if number:
            parts.append(chunk(b"fdAT", struct.pack(">I", sequence) + packed))
            sequence += 1
        else:
            parts.append(chunk(b"IDAT", packed))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return PNG_SIGNATURE + head + b"".join(parts) + chunk(b"IEND", b"")


def gif_frame(
    indices: Bytes, x: int = 0, y: int = 0, *, disposal: int = 0, transparent: int | None = None, delay: int = 10
) -> bytes:
    """One frame of `indices` into `PALETTE`; `delay` in hundredths of a second."""
    height, width = indices.shape
    flags = disposal << 2 | (transparent is not None)
    control = b"!\xf9\x04" + struct.pack("<BHBB", flags, delay, transparent or 0, 0)
    return control + b"," + struct.pack("<HHHHB", x, y, width, height, 0) + b"\3" + _codes(indices) + b"\0"


def gif(width: int, height: int, frames: list[bytes], *, repeats: int | None = None, trailer: bytes = b";") -> bytes:
    """A GIF of `frames` with `PALETTE`, background colour 5."""
    loop = b"" if repeats is None else b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", repeats) + b"\0"
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF2, 5, 0) + PALETTE.tobytes()
    return head + loop + b"".join(frames) + trailer


def show(indices: Bytes, transparent: int | None = None) -> Bytes:
    """RGBA of `indices`; what is transparent is all zero."""
    shown = np.dstack([PALETTE[indices], np.full(indices.shape, 255, np.uint8)])
    if transparent is not None:
        shown[indices == transparent] = 0
    return shown


def _codes(indices: Bytes) -> bytes:
    """LZW without compression: a clear code (8) before the table could grow beyond codes of 4 bits; 9 ends."""
    codes: list[int] = []
    for position, index in enumerate(indices.ravel()):
        codes += [8] * (position % 6 == 0) + [int(index)]
    codes.append(9)
    codes += [0] * (len(codes) % 2)
    packed = bytes(low | high << 4 for low, high in zip(codes[::2], codes[1::2], strict=True))
    return b"".join(bytes((len(part),)) + part for part in (packed[at : at + 255] for at in range(0, len(packed), 255)))
