"""Decoding: from bytes to upright sRGB pixels in memory."""

import pyvips

from imghost_imaging.formats import Format
from imghost_imaging.render import colour, decoder, gif, gif_frames
from imghost_imaging.render.limits import corrupt

# `thumbnail_buffer` ignores its `fail_on` argument; only as a loader option does it reach the decoder.
_STRICT = "[fail_on=truncated]"
_STRICT_ALL_FRAMES = "[n=-1,fail_on=truncated]"
_UPRIGHT = 1  # EXIF 2.3, tag 0x0112


def load(data: bytes, kind: Format, box: int, *, animated: bool) -> pyvips.Image:
    """The image in `data`, its longest side at most `box` pixels, decoded once into memory.

    Shrinks while decoding where the format can, turns by EXIF orientation, converts to 8-bit sRGB, never enlarges.
    With `animated` all frames, below each other. Raises `CorruptImage` when a pixel is missing or damaged, also for
    errors that libvips reports only when pixels are computed.
    """
    try:
        if kind == "gif":
            return _load_gif(data, box, animated=animated)
        with decoder.collect_damage() as damage:
            image = _load(data, box, animated=animated)
    except decoder.ERRORS as error:
        raise corrupt() from error
    if damage:
        raise corrupt()
    return _turn_frames(image) if animated else image


def shrink(image: pyvips.Image, box: int) -> pyvips.Image:
    """A copy in memory whose longest side is at most `box`; frames keep their number."""
    return _to_memory(image.thumbnail_image(box, height=box, size="down"))


def _to_memory(image: pyvips.Image) -> pyvips.Image:
    """Compute the pixels now: a lazy pipeline can be saved only once, and would report errors only then."""
    memory: pyvips.Image = image.copy_memory()
    return memory


def _load(data: bytes, box: int, *, animated: bool) -> pyvips.Image:
    conversion = colour.conversion(pyvips.Image.new_from_buffer(data, ""))
    options = _STRICT_ALL_FRAMES if animated else _STRICT
    image = pyvips.Image.thumbnail_buffer(
        data, box, height=box, size="down", option_string=options, no_rotate=animated, **conversion
    )
    return _to_memory(_eight_bit(image))


def _load_gif(data: bytes, box: int, *, animated: bool) -> pyvips.Image:
    image = gif.read(data)
    bands = 3 if image.opaque else 4
    frames = [_fit(frame[:bands], box) for frame in gif_frames.draw(image)]
    if not animated:
        return frames[0]
    return _stack(frames, [frame.control.delay for frame in image.frames], image.plays)


def _fit(image: pyvips.Image, box: int) -> pyvips.Image:
    return image if max(image.width, image.height) <= box else shrink(image, box)


def _turn_frames(image: pyvips.Image) -> pyvips.Image:
    """Each frame turned by the EXIF orientation. Turned as a whole, the strip of frames would change their order."""
    if not image.get_typeof("orientation") or image.get("orientation") == _UPRIGHT:
        return image
    frames = [frame.autorot() for frame in image.pagesplit()]
    return _to_memory(_stack(frames, image.get("delay"), image.get("loop")))


def _stack(frames: list[pyvips.Image], delays: list[int], plays: int) -> pyvips.Image:
    """`frames` below each other, as the encoders of animations expect them."""
    strip = pyvips.Image.arrayjoin(frames, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", frames[0].height)
    strip.set_type(pyvips.GValue.array_int_type, "delay", delays)
    strip.set_type(pyvips.GValue.gint_type, "loop", plays)
    return strip


def _eight_bit(image: pyvips.Image) -> pyvips.Image:
    return image if image.format == "uchar" else image.colourspace("srgb")
