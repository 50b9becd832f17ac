"""Renders a body as the service does, and gives the pixels of what comes out."""

import numpy as np
import pyvips
from numpy.typing import NDArray

from imghost_imaging.formats import Format
from imghost_imaging.render import renditions, source
from imghost_imaging.render.limits import Limits
from imghost_imaging.render.results import Renditions

LIMITS = Limits(pixels=100_000_000, frames=300)


def render(body: bytes, kind: Format) -> Renditions:
    """All renditions of `body`, within the default limits."""
    return renditions.render_all(source.read(body, kind, LIMITS))


def large(body: bytes, kind: Format) -> list[NDArray[np.uint8]]:
    """Each frame of the variant `large` of `body`: height x width x 3 or 4."""
    return decode(render(body, kind).variants["large"])


def decode(body: bytes) -> list[NDArray[np.uint8]]:
    """Each frame of a JPEG or WebP."""
    still = body.startswith(b"\xff\xd8")
    image = pyvips.Image.new_from_buffer(body, "" if still else "[n=-1]").colourspace("srgb")
    pages = image.pagesplit() if image.get_typeof("page-height") else [image]
    return [page.numpy() for page in pages]


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean absolute difference as seen on black and on white, the larger of both; 0 to 255."""
    return max(float(np.abs(_over(one, ground) - _over(other, ground)).mean()) for ground in (0, 255))


def _over(pixels: NDArray[np.uint8], ground: int) -> NDArray[np.float64]:
    values = pixels.astype(np.float64)
    if pixels.shape[2] == 3:
        return values
    alpha = values[..., 3:] / 255
    seen: NDArray[np.float64] = values[..., :3] * alpha + ground * (1 - alpha)
    return seen
