"""What the code points of video mean: primaries and transfer characteristics of ITU-T H.273, tables 2 and 3. Pure."""

import math

from imghost_imaging.render.icc import BT709, D65, Chromaticities, Curve

_REFERENCE_WHITE = 203.0  # cd/m², of graphics in HDR images (ITU-R BT.2408)
_WHITE_C, _WHITE_DCI = (0.310, 0.316), (0.314, 0.351)
_SMPTE = Chromaticities(D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
_P3_RED, _P3_GREEN, _P3_BLUE = (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)
PRIMARIES: dict[int, Chromaticities] = {
    1: BT709,
    4: Chromaticities(_WHITE_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: Chromaticities(D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: _SMPTE,
    7: _SMPTE,
    8: Chromaticities(_WHITE_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: Chromaticities(D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: Chromaticities(_WHITE_DCI, _P3_RED, _P3_GREEN, _P3_BLUE),
    12: Chromaticities(D65, _P3_RED, _P3_GREEN, _P3_BLUE),
    22: Chromaticities(D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}


def power(exponent: float) -> Curve:
    """The curve of a display with this gamma."""
    return lambda value: value**exponent


def srgb(value: float) -> float:
    """The curve of IEC 61966-2-1."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004


def _video(slope: float, offset: float, start: float) -> Curve:
    """A power of 1/0.45 that starts with a straight line, as television has it."""
    return lambda value: value / slope if value < start else ((value + offset) / (1 + offset)) ** (1 / 0.45)


def _perceptual_quantizer(value: float) -> float:
    """SMPTE ST 2084; what is brighter than the reference white is clipped."""
    root = value ** (1 / 78.84375)
    light = (max(0.0, root - 0.8359375) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return 10_000 / _REFERENCE_WHITE * float(light)


def _hybrid_log_gamma(value: float) -> float:
    """ITU-R BT.2100 for a display of 1000 cd/m², each channel by itself; the reference white is at 0.75."""
    low, high = value * value / 3, (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
    scene = low if value <= 0.5 else high  # noqa: PLR2004
    return 1000 / _REFERENCE_WHITE * float(scene**1.2)


def narrow(curve: Curve) -> Curve:
    """`curve` for values from 16 to 235 instead of 0 to 255."""
    return lambda value: curve(min(1.0, max(0.0, (value * 255 - 16) / 219)))


_BT709_CURVE = _video(4.5, 0.099, 0.081)
CURVES: dict[int, Curve] = {
    1: _BT709_CURVE,
    4: power(2.2),
    5: power(2.8),
    6: _BT709_CURVE,
    7: _video(4.0, 0.1115, 0.0913),
    8: power(1.0),
    11: _BT709_CURVE,
    13: srgb,
    14: _BT709_CURVE,
    15: _BT709_CURVE,
    16: _perceptual_quantizer,
    17: lambda value: 52.37 / 48 * float(value**2.6),
    18: _hybrid_log_gamma,
}
