"""Draws the frames of a GIF as browsers do: where nothing was drawn, and what disposal clears, is transparent."""

from collections.abc import Iterator

import pyvips

from imghost_imaging.render import gif
from imghost_imaging.render.gif import Frame, Gif
from imghost_imaging.render.limits import corrupt

_OPAQUE = 255


def draw(image: Gif) -> Iterator[pyvips.Image]:
    """Each frame of `image` as shown, RGBA in memory. Raises `CorruptImage` for missing pixels, `pyvips.Error`."""
    canvas = _transparent(image.width, image.height)
    for frame in image.frames:
        before = canvas
        canvas = shown = _draw_over(canvas, frame)
        yield shown
        if frame.control.disposal == gif.RESTORE:
            canvas = before
        elif frame.control.disposal == gif.CLEAR:
            canvas = shown.insert(_transparent(frame.width, frame.height), frame.x, frame.y)


def _draw_over(canvas: pyvips.Image, frame: Frame) -> pyvips.Image:
    """`canvas` with `frame` on it, as far as that lies within."""
    width, height = min(frame.width, canvas.width - frame.x), min(frame.height, canvas.height - frame.y)
    if width <= 0 or height <= 0:
        return canvas
    key = _unused_colour(frame.palette) if frame.control.transparent is not None else b""
    patch = _decode(frame, key)
    if (width, height) != (frame.width, frame.height):
        patch = patch.crop(0, 0, width, height)
    if key:
        patch = (patch == [*key, _OPAQUE]).bandand().ifthenelse(canvas.crop(frame.x, frame.y, width, height), patch)
    if (width, height) != (canvas.width, canvas.height):
        patch = canvas.insert(patch, frame.x, frame.y)
    return patch.copy_memory()


def _decode(frame: Frame, key: bytes) -> pyvips.Image:
    """The pixels of `frame`, all opaque; its transparent index has the colour `key`, by which it is found again."""
    palette = frame.palette
    if (index := frame.control.transparent) is not None:
        palette = palette.ljust(3 * index, b"\0")
        palette = palette[: 3 * index] + key + palette[3 * index + 3 :]
    decoded: pyvips.Image = pyvips.Image.gifload_buffer(gif.single(frame, palette)).copy_memory()
    if decoded[3].min() < _OPAQUE:
        raise corrupt()
    return decoded


def _unused_colour(palette: bytes) -> bytes:
    used = {palette[start : start + 3] for start in range(0, len(palette), 3)}
    return next(key for blue in range(257) if (key := bytes((0, blue >> 8, blue & 255))) not in used)


def _transparent(width: int, height: int) -> pyvips.Image:
    return pyvips.Image.black(width, height, bands=4).copy(interpretation="srgb")
