"""Encoding. Only pixels are written, no metadata, so that location, camera and names cannot leak.

An image as large as its original keeps its colours exact: without subsampling, and lossless where that is smaller. Made
smaller, its pixels are means already, and what is saved by subsampling cannot be seen.
"""

import pyvips

_STILL_EFFORT = 2  # 35 ms at 1200 px; effort 4 costs twice that for 4 % fewer bytes
_ANIMATION_EFFORT = 0  # 25 megapixels of frames a second
_VP8X_FLAGS, _HAS_ALPHA = 20, 0x10  # WebP container specification, "Extended File Format"
_WORTH_TRYING = 8  # lossless files are rarely smaller than an eighth of the original
_WORTH_OF_COLOURS = 2  # lossy WebP always subsamples, so exact colours may take twice its bytes


def encode_exact(image: pyvips.Image, quality: int, original_bytes: int) -> tuple[str, bytes]:
    """Extension and file of an image as large as its original: lossless when that is worth its bytes."""
    kind = extension(image)
    lossy = encode(image, kind, quality, exact=True)
    if original_bytes > _WORTH_TRYING * len(lossy):
        return kind, lossy
    lossless = _webp(image, lossless=True)
    worth = _WORTH_OF_COLOURS if kind == "webp" else 1
    return ("webp", lossless) if len(lossless) <= worth * len(lossy) else (kind, lossy)


def encode(image: pyvips.Image, kind: str, quality: int, *, exact: bool) -> bytes:
    """`image` as a `jpg` or `webp` file without any metadata; `exact` when it is as large as its original."""
    if kind == "webp":
        return _webp(image, Q=quality)
    subsampling = "off" if exact else "auto"
    return bytes(image.jpegsave_buffer(Q=quality, keep="none", optimize_coding=True, subsample_mode=subsampling))


def extension(image: pyvips.Image) -> str:
    """The extension to store `image` with: `jpg` for one opaque frame, else `webp`."""
    return "webp" if image.hasalpha() or frames(image) > 1 else "jpg"


def frames(image: pyvips.Image) -> int:
    """Number of frames, which lie below each other in `image`."""
    return int(image.height // image.get("page-height")) if image.get_typeof("page-height") else 1


def _webp(image: pyvips.Image, **options: object) -> bytes:
    effort = _STILL_EFFORT if frames(image) == 1 else _ANIMATION_EFFORT
    body = bytes(image.webpsave_buffer(keep="none", effort=effort, **options))
    return _mark_transparent(body) if image.hasalpha() else body


def _mark_transparent(body: bytes) -> bytes:
    """`body` with the flag for alpha, which the encoder omits when opaque frames do not fill the canvas."""
    if body[12:16] != b"VP8X":
        return body
    return body[:_VP8X_FLAGS] + bytes((body[_VP8X_FLAGS] | _HAS_ALPHA,)) + body[_VP8X_FLAGS + 1 :]
