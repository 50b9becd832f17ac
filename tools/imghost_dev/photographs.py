"""Photographs made in code: the same on every run, and made once per process."""

from functools import cache
from typing import Any

import numpy as np
import pyvips

SRGB = "srgb"


@cache
def photo(
    width: int = 640,
    height: int = 480,
    format: str = "jpeg",  # noqa: A002 - the usual word for it
    quality: int = 88,
    noise: float = 5.0,
    seed: int = 1,
    **options: Any,
) -> bytes:
    """An image that compresses like a photograph: 4320x3240 as JPEG has 2 MB. `options` go to the encoder."""
    return encode(scene(width, height, noise, seed), format, quality, **options)


def scene(width: int, height: int, noise: float = 5.0, seed: int = 1) -> pyvips.Image:
    """The pixels of `photo`: a sky's gradient, soft hills in three colours, and a camera's noise."""
    x = pyvips.Image.xyz(width, height)
    across, down = x[0] / width, x[1] / height
    hills = ((across * (400 + 90 * seed)).sin() + (down * 700 + across * 200).cos()) * 25
    bands = [110 + 90 * down + hills, 130 + 60 * across - hills * 0.6, 190 - 110 * down + hills * 0.3]
    grain = np.random.default_rng(seed).normal(0, noise, (509, 503, 3)).astype(np.float32)
    repeated = pyvips.Image.new_from_array(grain).replicate(width // 503 + 1, height // 509 + 1)
    sky: pyvips.Image = bands[0].bandjoin(bands[1:]) + repeated.crop(0, 0, width, height)
    return sky.cast("uchar").copy(interpretation=SRGB)


def encode(image: pyvips.Image, format: str, quality: int = 88, **options: Any) -> bytes:  # noqa: A002
    """`image` as a file of `format`: jpeg, png, gif, webp, avif or tiff. Without metadata: delivered as it is."""
    settings: dict[str, dict[str, Any]] = {
        "jpeg": {"Q": quality, "keep": "none"},
        "png": {"compression": 3, "keep": "none"},
        "gif": {"effort": 1},
        "webp": {"Q": quality, "effort": 0, "keep": "none"},
        "avif": {"Q": quality, "effort": 0, "compression": "av1"},
        "tiff": {},
    }
    saver = {"avif": "heifsave_buffer"}.get(format, f"{format}save_buffer")
    return bytes(getattr(image, saver)(**settings[format] | options))
