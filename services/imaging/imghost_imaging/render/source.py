"""What is decoded instead of an original, and its header, within the limits."""

from dataclasses import replace
from typing import NamedTuple

import pyvips

from imghost_imaging.formats import Format
from imghost_imaging.render import decoder, gif, jpeg, png
from imghost_imaging.render.limits import Header, Limits, check, corrupt


class Source(NamedTuple):
    """`data` decodes to the pixels of the original; `stored` is the size of the file that was uploaded, in bytes."""

    kind: Format
    header: Header
    data: bytes
    stored: int

    @property
    def animated(self) -> bool:
        """Whether all frames are rendered; of an APNG only the first is."""
        return self.header.frames > 1 and self.kind != "png"

    @property
    def lossless(self) -> bool:
        """Whether the original may be a drawing, whose pixels are stored as they are; a lossy one never is."""
        return self.kind in {"png", "gif"} or (self.kind == "webp" and b"VP8L" in self.data)


def read(data: bytes, kind: Format, limits: Limits) -> Source:
    """The source for the original `data`; takes well below a millisecond for a photograph.

    Raises `Unprocessable` with `corrupt_image`, `too_many_pixels` or `too_many_frames`.
    """
    match kind:
        case "gif":
            header, body = _read_gif(data, limits), data
        case "png":
            stored = png.read_header(data)
            check(stored, limits)
            body = png.normalise(data)
            header = replace(_read_header(body), frames=stored.frames)
        case "jpeg":
            body = jpeg.normalise(data)
            header = _read_header(body)
        case _:
            header, body = _read_header(data, animated=kind == "webp"), data
    check(header, limits)
    return Source(kind, header, body, len(data))


def _read_gif(data: bytes, limits: Limits) -> Header:
    image = gif.read(data, max_frames=limits.frames)
    header = Header(image.width, image.height, len(image.frames))
    for frame in image.frames:  # each is decoded as a whole, also what lies outside the canvas
        largest = replace(header, width=max(image.width, frame.width), height=max(image.height, frame.height))
        check(largest, limits)
    if image.truncated or not (image.width and image.height and image.frames):
        raise corrupt()
    return header


def _read_header(data: bytes, *, animated: bool = False) -> Header:
    try:
        image = pyvips.Image.new_from_buffer(data, "")
        frames = image.get("n-pages") if animated and image.get_typeof("n-pages") else 1
        turned = image.get_typeof("orientation") and image.get("orientation") in {5, 6, 7, 8}
    except decoder.ERRORS as error:
        raise corrupt() from error
    width, height = (image.height, image.width) if turned else (image.width, image.height)
    return Header(width, height, max(1, frames))
