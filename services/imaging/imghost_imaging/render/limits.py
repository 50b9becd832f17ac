"""Limits checked against an image's header before any pixel is decoded."""

from dataclasses import dataclass

import pyvips

from imghost_core.contract.errors import CorruptImage, TooManyFrames, TooManyPixels
from imghost_imaging.formats import Format
from imghost_imaging.render import gif


@dataclass(frozen=True, slots=True)
class Limits:
    """`pixels` counts width x height x frames."""

    pixels: int
    frames: int


@dataclass(frozen=True, slots=True)
class Header:
    """Size in pixels as displayed (EXIF orientation applied), and number of frames."""

    width: int
    height: int
    frames: int


def read(data: bytes, kind: Format, limits: Limits) -> Header:
    """The header of `data`, within `limits`; takes well below a millisecond for a photograph.

    Raises `Unprocessable` with `corrupt_image`, `too_many_pixels` or `too_many_frames`.
    """
    if kind == "gif":
        found = gif.read_header(data, max_frames=limits.frames)
        check(Header(found.width, found.height, found.frames), limits)
        if found.truncated or not found.frames:
            raise corrupt()
    try:
        image = pyvips.Image.new_from_buffer(data, "")
    except pyvips.Error as error:
        raise corrupt() from error
    header = _header(image, kind)
    check(header, limits)
    return header


def _header(image: pyvips.Image, kind: Format) -> Header:
    frames = image.get("n-pages") if kind in {"gif", "webp"} and image.get_typeof("n-pages") else 1
    turned = image.get_typeof("orientation") and image.get("orientation") in {5, 6, 7, 8}
    width, height = (image.height, image.width) if turned else (image.width, image.height)
    return Header(width, height, max(1, frames))


def check(header: Header, limits: Limits) -> None:
    """Raise `TooManyFrames` or `TooManyPixels` when `header` goes beyond `limits`."""
    if header.frames > limits.frames:
        raise TooManyFrames(f"The animation has more than {limits.frames} frames, the maximum. Upload a shorter one.")
    if (pixels := header.width * header.height * header.frames) > limits.pixels:
        frames = f" x {header.frames} frames" if header.frames > 1 else ""
        raise TooManyPixels(
            f"The image is {header.width} x {header.height}{frames}, {pixels:,} pixels; "
            f"{limits.pixels:,} are allowed. Upload a smaller copy."
        )


def corrupt() -> CorruptImage:
    """The error for a file that starts like an image and cannot be decoded completely."""
    return CorruptImage(
        "The image is damaged or incomplete, so it cannot be decoded. Check the file, then upload it again."
    )
