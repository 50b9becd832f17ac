"""The renditions of one image: decoded once, then each size is made from the next larger one."""

import math
from collections.abc import Iterator

import pyvips

from imghost_core.object_keys import VariantName
from imghost_imaging.formats import Format
from imghost_imaging.render import save
from imghost_imaging.render.limits import Header
from imghost_imaging.render.load import load, shrink
from imghost_imaging.render.results import Renditions
from imghost_imaging.render.sizes import ANIMATION_PIXELS, BOXES, MEZZANINE
from imghost_imaging.render.source import Source

_MEZZANINE_QUALITY = 85
_QUALITY = 80
_FORMATS: dict[str, Format] = {"jpg": "jpeg", "webp": "webp"}


def render_all(original: Source) -> Renditions:
    """All renditions of `original`."""
    header, animated = original.header, original.animated
    box = min(MEZZANINE, _animation_box(header)) if animated else MEZZANINE
    top = _drop_opaque_alpha(load(original.data, original.kind, box, animated=animated))
    exact = max(header.width, header.height) <= box
    kind, size = save.extension(top), (top.width, top.height)
    full_size: dict[tuple[int, int], bytes] = {}
    if exact and original.lossless and max(top.width, _height(top)) <= BOXES["large"]:
        kind, full_size[size] = save.encode_exact(top, _QUALITY, original.stored)
    variants = dict(_cascade(top, kind, dict(full_size), exact=exact))
    mezzanine = full_size.get(size) or save.encode(top, kind, _MEZZANINE_QUALITY, exact=exact)
    return Renditions(kind, mezzanine, variants)


def render_variant(mezzanine: bytes, name: VariantName, kind: str) -> bytes:
    """The variant `name` from a stored mezzanine with the extension `kind`."""
    animated = kind == "webp" and name != "thumb"
    image = load(mezzanine, _FORMATS[kind], BOXES[name], animated=animated)
    return save.encode(image, kind, _QUALITY, exact=max(image.width, _height(image)) < BOXES[name])


def _cascade(
    image: pyvips.Image, kind: str, encoded: dict[tuple[int, int], bytes], *, exact: bool
) -> Iterator[tuple[VariantName, bytes]]:
    """Each size from the next larger one. A size that would not be smaller reuses the same file."""
    full = image.width
    for name, box in BOXES.items():
        image = _fit(_first_frame(image) if name == "thumb" else image, box)
        size = (image.width, image.height)
        if size not in encoded:
            encoded[size] = save.encode(image, kind, _QUALITY, exact=exact and image.width == full)
        yield name, encoded[size]


def _fit(image: pyvips.Image, box: int) -> pyvips.Image:
    return image if max(image.width, _height(image)) <= box else shrink(image, box)


def _height(image: pyvips.Image) -> int:
    """Height of one frame."""
    return int(image.height // save.frames(image))


def _first_frame(image: pyvips.Image) -> pyvips.Image:
    if save.frames(image) == 1:
        return image
    still: pyvips.Image = image.crop(0, 0, image.width, image.get("page-height")).copy()
    for field in ("page-height", "n-pages", "delay", "loop"):
        still.remove(field)
    return still


def _drop_opaque_alpha(image: pyvips.Image) -> pyvips.Image:
    """`image` without a fully opaque alpha channel, as screenshots and most animations have."""
    if image.hasalpha() and image[image.bands - 1].min() == 255:  # noqa: PLR2004
        return image[: image.bands - 1]
    return image


def _animation_box(header: Header) -> int:
    longest, pixels = max(header.width, header.height), header.width * header.height * header.frames
    return max(1, math.floor(longest * math.sqrt(min(1, ANIMATION_PIXELS / pixels))))
