"""Writes colour profiles for images that describe their colours by numbers instead.

Layout: ICC.1:2022, sections 7 to 10. A profile has the primaries adapted to D50 (annex E, Bradford) and one tone curve.
"""

import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pyvips

Curve = Callable[[float], float]
"""From an encoded value to light, both 0 to 1; light beyond 1 is clipped."""


class Chromaticities(NamedTuple):
    """CIE 1931 x and y of white and of the three primaries."""

    white: tuple[float, float]
    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]


D65 = (0.3127, 0.3290)
BT709 = Chromaticities(D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_ENTRIES = 4096  # of the curve: 16 between two values of 8 bits
_HEADER = 128


def rgb_profile(curve: Curve, primaries: Chromaticities) -> bytes:
    """A profile for RGB images. Raises `ValueError` for primaries that span no colour space."""
    tone = _curve(curve)
    columns = zip(*_to_d50(primaries), strict=True)
    colorants = [(name, _xyz(column)) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)]
    return _profile(b"RGB ", [*colorants, *((name, tone) for name in (b"rTRC", b"gTRC", b"bTRC"))])


def grey_profile(curve: Curve) -> bytes:
    """A profile for images of one channel."""
    return _profile(b"GRAY", [(b"kTRC", _curve(curve))])


def _profile(space: bytes, elements: list[tuple[bytes, bytes]]) -> bytes:
    elements = [(b"desc", _DESCRIPTION), (b"cprt", _COPYRIGHT), (b"wtpt", _xyz(_D50)), *elements]
    table, body = struct.pack(">I", len(elements)), b""
    start = _HEADER + 4 + 12 * len(elements)
    for name, element in elements:
        table += struct.pack(">4sII", name, start + len(body), len(element))
        body += element + bytes(-len(element) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s", start + len(body), 0x04300000, b"mntr", space, b"XYZ ", b"acsp")
    return header.ljust(68, b"\0") + _xyz(_D50)[8:].ljust(60, b"\0") + table + body


def _curve(curve: Curve) -> bytes:
    values = (round(65535 * min(1.0, max(0.0, curve(index / (_ENTRIES - 1))))) for index in range(_ENTRIES))
    return struct.pack(f">4s4xI{_ENTRIES}H", b"curv", _ENTRIES, *values)


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return struct.pack(">4s4xII4sII", b"mluc", 1, 12, b"enUS", len(encoded), 28) + encoded


# Made when this is loaded: Python reads a codec from a file when it is first needed, and decoders have no files.
_DESCRIPTION, _COPYRIGHT = _text("from the image"), _text("none")


def _xyz(values: Iterable[float]) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(value * 65536) for value in values))


def _to_d50(primaries: Chromaticities) -> list[list[float]]:
    """The matrix from linear RGB to XYZ as seen under D50."""
    white, *rgb = (_tristimulus(*point) for point in primaries)
    columns, cones = _transpose(_matrix(rgb)), _matrix(_BRADFORD)
    try:
        strengths = columns.matrixinvert().matrixmultiply(_column(white)).tolist()
        seen, wanted = (cones.matrixmultiply(_column(point)).tolist() for point in (white, _D50))
        gains = [own_wanted[0] / own_seen[0] for own_seen, own_wanted in zip(seen, wanted, strict=True)]
        adapt = cones.matrixinvert().matrixmultiply(_diagonal(gains)).matrixmultiply(cones)
        to_xyz = columns.matrixmultiply(_diagonal([row[0] for row in strengths]))
        matrix: list[list[float]] = adapt.matrixmultiply(to_xyz).tolist()
    except pyvips.Error as error:
        raise ValueError("the primaries lie on one line") from error
    return matrix


def _tristimulus(x: float, y: float) -> tuple[float, float, float]:
    if not (0 <= x <= 1 and 0 < y <= 1 and x + y <= 1):
        raise ValueError(f"{x}, {y} are no chromaticity coordinates")
    return x / y, 1.0, (1 - x - y) / y


def _matrix(rows: Iterable[Iterable[float]]) -> pyvips.Image:
    return pyvips.Image.new_from_array([list(row) for row in rows])


def _column(values: Iterable[float]) -> pyvips.Image:
    return _matrix([value] for value in values)


def _diagonal(values: list[float]) -> pyvips.Image:
    return _matrix([value if row == column else 0.0 for column in range(3)] for row, value in enumerate(values))


def _transpose(matrix: pyvips.Image) -> pyvips.Image:
    return matrix.rot90().fliphor()
