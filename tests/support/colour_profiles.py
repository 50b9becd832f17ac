"""Colour profiles and pixels in them, made by the plainest arithmetic, to check what the service makes of them."""

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]
"""From light to encoded value, 0 to 1."""

_D65 = (0.3127, 0.3290)
BT709 = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])


def encode_srgb(light: Floats) -> Floats:
    """The curve of sRGB."""
    result: Floats = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return result


def decode_srgb(value: Floats) -> Floats:
    """The inverse of `encode_srgb`."""
    result: Floats = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return result


def gamma(exponent: float) -> Curve:
    """A power function, as `encode_srgb` is for sRGB; 1 is linear."""
    return lambda light: light ** (1 / exponent)


def convert(pixels: NDArray[np.uint8], primaries: tuple[tuple[float, float], ...], curve: Curve) -> Floats:
    """SRGB `pixels` as a file in another colour space stores them, 0 to 1; all primaries here have white D65."""
    matrix = np.linalg.inv(_to_xyz(primaries)) @ _to_xyz(BT709)
    light = decode_srgb(pixels / 255.0) @ matrix.T
    return curve(np.clip(light, 0, 1))


def profile(description: str, primaries: tuple[tuple[float, float], ...], exponent: float, note: str = "none") -> bytes:
    """An ICC profile, version 2, with white D65, a gamma, and texts that may say anything."""
    white = _xyz(_D65)
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    columns = (np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ _to_xyz(primaries)).T
    tone = struct.pack(">4s4xIH", b"curv", 1, round(exponent * 256))
    colorants = [(name, _numbers(column)) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)]
    return _assemble(b"RGB ", description, note, [*colorants, *((name, tone) for name in (b"rTRC", b"gTRC", b"bTRC"))])


def grey_profile(description: str, exponent: float) -> bytes:
    """The same for one channel."""
    tone = struct.pack(">4s4xIH", b"curv", 1, round(exponent * 256))
    return _assemble(b"GRAY", description, "none", [(b"kTRC", tone)])


def _assemble(space: bytes, description: str, note: str, tags: list[tuple[bytes, bytes]]) -> bytes:
    text = description.encode() + b"\0"
    named = struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78)
    tags = [(b"desc", named), (b"cprt", b"text\0\0\0\0" + note.encode() + b"\0"), (b"wtpt", _numbers(_D50)), *tags]
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags:
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    size = start + len(body)
    head = struct.pack(">I4xI4s4s4s12x4s", size, 0x02100000, b"mntr", space, b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + _numbers(_D50)[8:].ljust(60, b"\0") + table + body


def _numbers(values: Floats) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(float(value) * 65536) for value in values))


def _to_xyz(primaries: tuple[tuple[float, float], ...]) -> Floats:
    columns = np.array([_xyz(point) for point in primaries]).T
    scaled: Floats = columns * np.linalg.solve(columns, _xyz(_D65))
    return scaled


def _xyz(point: tuple[float, float]) -> Floats:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])
