"""How large renditions are. Pure: also the estimate of what they cost goes by it."""

from imghost_core.object_keys import VARIANT_NAMES, VariantName

MEZZANINE = 1600
"""Pixels of its longest side at most."""
BOXES: dict[VariantName, int] = {"large": 1200, "medium": 800, "small": 400, "thumb": 200}  # largest first
"""The same of each variant."""
ANIMATION_PIXELS = 25_000_000
"""Animated renditions are shrunk until all frames together have at most this many: 1 s of encoding, 100 MB."""

assert set(BOXES) == set(VARIANT_NAMES)  # noqa: S101 - every variant of the contract must be rendered
