"""Encoding. Only pixels are written, no metadata, so that location, camera and names cannot leak."""

import pyvips

_JPEG = {"keep": "none", "optimize_coding": True}
_STILL_EFFORT = 2  # 35 ms at 1200 px; effort 4 costs twice that for 4 % fewer bytes
_ANIMATION_EFFORT = 0  # 25 megapixels of frames a second


def extension(image: pyvips.Image) -> str:
    """The extension to store `image` with: `jpg` for one opaque frame, else `webp`."""
    return "webp" if image.hasalpha() or frames(image) > 1 else "jpg"


def encode(image: pyvips.Image, kind: str, quality: int) -> bytes:
    """`image` as a `jpg` or `webp` file without any metadata."""
    if kind == "jpg":
        return bytes(image.jpegsave_buffer(Q=quality, **_JPEG))
    effort = _ANIMATION_EFFORT if frames(image) > 1 else _STILL_EFFORT
    return bytes(image.webpsave_buffer(Q=quality, effort=effort, keep="none"))


def frames(image: pyvips.Image) -> int:
    """Number of frames, which lie below each other in `image`."""
    return int(image.height // image.get("page-height")) if image.get_typeof("page-height") else 1
