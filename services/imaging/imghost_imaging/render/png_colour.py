"""The colour profile of a PNG, from the chunk that counts: cICP, else iCCP, else sRGB, else gAMA with cHRM.

Precedence and meaning: PNG specification, third edition, sections 4.3 and 11.3.2. What a damaged or unknown chunk says
is ignored, and the next in the list counts.
"""

import struct
import zlib
from collections.abc import Mapping

from imghost_imaging.render import cicp, icc
from imghost_imaging.render.icc import BT709, Chromaticities, Curve

CHUNKS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
_MAX_PROFILE = 4 * 1024 * 1024  # profiles of printers have up to 3 MiB


def find_profile(chunks: Mapping[bytes, bytes], *, grey: bool) -> bytes | None:
    """The profile that `chunks`, by name, give an image of one channel (`grey`) or of three; None stands for sRGB."""
    if (profile := _from_code_points(chunks.get(b"cICP", b""), grey)) is not None:
        return profile
    if (profile := _embedded(chunks.get(b"iCCP", b""), grey)) is not None:
        return profile
    if b"sRGB" in chunks:
        return None
    return _from_numbers(chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b""), grey)


def _embedded(chunk: bytes, grey: bool) -> bytes | None:  # noqa: FBT001
    _, _, rest = chunk.partition(b"\0")
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(rest[1:], _MAX_PROFILE)
    except zlib.error:
        return None
    space = b"GRAY" if grey else b"RGB "
    return profile if inflate.eof and profile[16:20] == space and profile[36:40] == b"acsp" else None


def _from_code_points(chunk: bytes, grey: bool) -> bytes | None:  # noqa: FBT001
    if len(chunk) != 4 or chunk[2] != 0:  # noqa: PLR2004 - a matrix other than that of RGB is not allowed in PNG
        return None
    curve, primaries = cicp.CURVES.get(chunk[1]), cicp.PRIMARIES.get(chunk[0])
    if curve is None or primaries is None:
        return None
    return _build(curve if chunk[3] else cicp.narrow(curve), primaries, grey)


def _from_numbers(gamma: bytes, primaries: bytes, grey: bool) -> bytes | None:  # noqa: FBT001
    """What is not given is that of sRGB."""
    curve = _power_of(gamma)
    points = _points_of(primaries)
    if curve is None and points is None:
        return None
    try:
        return _build(curve or cicp.srgb, points or BT709, grey)
    except ValueError:
        return _build(curve, BT709, grey) if curve else None


def _build(curve: Curve, primaries: Chromaticities, grey: bool) -> bytes:  # noqa: FBT001
    return icc.grey_profile(curve) if grey else icc.rgb_profile(curve, primaries)


def _power_of(chunk: bytes) -> Curve | None:
    """The curve of gAMA. 1/2.2 is what encoders write for sRGB, so it is taken as sRGB (section 11.3.2.5)."""
    gamma = int.from_bytes(chunk) if len(chunk) == 4 else 0  # noqa: PLR2004
    if not gamma:
        return None
    return cicp.srgb if abs(gamma - 45455) < 500 else cicp.power(100_000 / gamma)  # noqa: PLR2004


def _points_of(chunk: bytes) -> Chromaticities | None:
    if len(chunk) != 32:  # noqa: PLR2004
        return None
    numbers = [number / 100_000 for number in struct.unpack(">8I", chunk)]
    white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
    return Chromaticities(white, red, green, blue)
