"""Decides whether colours must be converted to sRGB: a profile is tried out, its name means nothing."""

from functools import lru_cache
from itertools import product

import pyvips

_PLAIN = frozenset({"srgb", "rgb", "b-w", "rgb16", "grey16"})
_GREY = frozenset({"b-w", "grey16"})
_LEVELS = (0, 8, 24, 48, 96, 144, 192, 224, 255)
_TOLERANCE = 2  # of 255: what profiles of sRGB itself differ by
_PROFILE = "icc-profile-data"
_SMALL_PROFILE = 64 * 1024


def conversion(source: pyvips.Image) -> dict[str, str]:
    """The options of `thumbnail_buffer` that convert the colours of `source` to sRGB.

    None when they are sRGB already: to convert takes 30 of 180 ms of CPU for a 12-megapixel photo. A damaged profile,
    or one for another number of channels, is ignored.
    """
    if source.get_typeof(_PROFILE):
        profile = source.get(_PROFILE)
        find = _changes_colours_cached if len(profile) <= _SMALL_PROFILE else _changes_colours
        needed = find(profile, source.interpretation)
    else:
        needed = source.interpretation not in _PLAIN
    return {"export_profile": "srgb"} if needed else {}


def _changes_colours(profile: bytes, interpretation: str) -> bool:
    """Whether `profile` means other colours than sRGB. Libvips ignores one that does not fit; a damaged one fails."""
    probe = _probe(interpretation)
    probe.set_type(pyvips.GValue.blob_type, _PROFILE, profile)
    try:
        converted = probe.icc_transform("srgb", embedded=True).copy_memory()
    except pyvips.Error:
        return False
    return interpretation not in _PLAIN or bool((converted - probe).abs().max() > _TOLERANCE)


_changes_colours_cached = lru_cache(maxsize=256)(_changes_colours)


def _probe(interpretation: str) -> pyvips.Image:
    """Every level of grey, colours from the whole cube, or one of CMYK."""
    if interpretation in _GREY:
        return pyvips.Image.identity().copy(interpretation="b-w")
    if interpretation not in _PLAIN:
        return pyvips.Image.black(1, 1, bands=4).copy(interpretation=interpretation)
    colours = bytes(level for colour in product(_LEVELS, repeat=3) for level in colour)
    image = pyvips.Image.new_from_memory(colours, len(colours) // 3, 1, 3, "uchar")
    return image.copy(interpretation="srgb")
