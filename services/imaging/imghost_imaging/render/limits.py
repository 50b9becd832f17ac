"""Limits checked against an image's header before any pixel is decoded. Pure."""

from dataclasses import dataclass

from imghost_core.contract.errors import CorruptImage, TooManyFrames, TooManyPixels


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
