"""Decoding: from bytes to upright sRGB pixels in memory."""

import pyvips

from imghost_imaging.formats import Format
from imghost_imaging.render import colour, decoder, gif, gif_frames
from imghost_imaging.render.deadline import check_deadline, shrink, to_memory
from imghost_imaging.render.limits import corrupt

# `thumbnail_buffer` ignores its `fail_on` argument; only as a loader option does it reach the decoder.
_STRICT = "[fail_on=truncated]"
_STRICT_ALL_FRAMES = "[n=-1,fail_on=truncated]"
_UPRIGHT = 1  # EXIF 2.3, tag 0x0112


def load(data: bytes, kind: Format, box: int, *, animated: bool, deadline: float) -> pyvips.Image:
    """The image in `data`, its longest side at most `box` pixels, decoded once into memory.

    Shrinks while decoding where the format can, turns by EXIF orientation, converts to 8-bit sRGB, never enlarges.
    With `animated` all frames, below each other. `deadline` is on the clock of `time.monotonic`. Raises `CorruptImage`
    when a pixel is missing or damaged, also for errors that libvips reports only when pixels are computed, and
    `Overloaded` at the deadline.
    """
    try:
        if kind == "gif":
            return _load_gif(data, box, animated=animated, deadline=deadline)
        with decoder.collect_damage() as damage:
            image = _load(data, box, animated=animated, deadline=deadline)
    except decoder.ERRORS as error:
        check_deadline(deadline)
        raise corrupt() from error
    if damage:
        raise corrupt()
    return _turn_frames(image, deadline) if animated else image


def _load(data: bytes, box: int, *, animated: bool, deadline: float) -> pyvips.Image:
    conversion = colour.conversion(pyvips.Image.new_from_buffer(data, ""))
    options = _STRICT_ALL_FRAMES if animated else _STRICT
    image = pyvips.Image.thumbnail_buffer(
        data, box, height=box, size="down", option_string=options, no_rotate=animated, **conversion
    )
    return to_memory(_eight_bit(image), deadline)


def _load_gif(data: bytes, box: int, *, animated: bool, deadline: float) -> pyvips.Image:
    image = gif.read(data)
    bands = 3 if image.opaque else 4
    frames = [_fit(frame[:bands], box, deadline) for frame in gif_frames.draw(image, deadline)]
    if not animated:
        return frames[0]
    return _stack(frames, [frame.control.delay for frame in image.frames], image.plays)


def _fit(image: pyvips.Image, box: int, deadline: float) -> pyvips.Image:
    return image if max(image.width, image.height) <= box else shrink(image, box, deadline)


def _turn_frames(image: pyvips.Image, deadline: float) -> pyvips.Image:
    """Each frame turned by the EXIF orientation. Turned as a whole, the strip of frames would change their order."""
    if not image.get_typeof("orientation") or image.get("orientation") == _UPRIGHT:
        return image
    frames = [frame.autorot() for frame in image.pagesplit()]
    return to_memory(_stack(frames, image.get("delay"), image.get("loop")), deadline)


def _stack(frames: list[pyvips.Image], delays: list[int], plays: int) -> pyvips.Image:
    """`frames` below each other, as the encoders of animations expect them."""
    strip = pyvips.Image.arrayjoin(frames, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", frames[0].height)
    strip.set_type(pyvips.GValue.array_int_type, "delay", delays)
    strip.set_type(pyvips.GValue.gint_type, "loop", plays)
    return strip


def _eight_bit(image: pyvips.Image) -> pyvips.Image:
    return image if image.format == "uchar" else image.colourspace("srgb")
