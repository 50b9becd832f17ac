"""The sizes of one image: decoded once, then each size made from the one above it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pyvips

from imghost_core.object_keys import VARIANT_NAMES, VariantName
from imghost_imaging.render import save
from imghost_imaging.render.limits import Header
from imghost_imaging.render.load import check_deadline, load, shrink

MEZZANINE = 1600
BOXES: dict[VariantName, int] = {"large": 1200, "medium": 800, "small": 400, "thumb": 200}  # from the largest down
_MEZZANINE_QUALITY = 85
_QUALITY = 80
# An animated variant is shrunk further until its frames together have no more pixels: a second of encoding, 100 MB.
ANIMATION_PIXELS = 25_000_000


@dataclass(frozen=True, slots=True)
class Ladder:
    """Files made from one original, all with the same extension, `jpg` or `webp`."""

    extension: str
    mezzanine: bytes
    variants: dict[VariantName, bytes]

    @property
    def total(self) -> int:
        """Bytes of all files together."""
        return len(self.mezzanine) + sum(map(len, self.variants.values()))


def build(data: bytes, header: Header, deadline: float) -> Ladder:
    """The whole ladder of the original `data`; `header` was read from it and is within the limits."""
    animated = header.frames > 1
    box = min(MEZZANINE, _animation_box(header)) if animated else MEZZANINE
    top = _opaque(load(data, box, all_frames=animated, deadline=deadline))
    kind = save.extension(top)
    mezzanine = save.encode(top, kind, _MEZZANINE_QUALITY)
    return Ladder(kind, mezzanine, dict(_cascade(top, kind, deadline)))


def one(mezzanine: bytes, name: VariantName, kind: str, deadline: float) -> bytes:
    """The variant `name` made from a stored mezzanine of extension `kind`."""
    image = load(mezzanine, BOXES[name], all_frames=kind == "webp" and name != "thumb", deadline=deadline)
    return save.encode(image, kind, _QUALITY)


def _cascade(image: pyvips.Image, kind: str, deadline: float) -> Iterator[tuple[VariantName, bytes]]:
    """Each size from the one above it. A size that is not smaller than the last is the same file again."""
    made: dict[tuple[int, int], bytes] = {}
    for name, box in BOXES.items():
        check_deadline(deadline)
        image = _step(_first_frame(image) if name == "thumb" else image, box, deadline)
        size = (image.width, image.height)
        made[size] = made.get(size) or save.encode(image, kind, _QUALITY)
        yield name, made[size]


def _step(image: pyvips.Image, box: int, deadline: float) -> pyvips.Image:
    height = image.height // save.frames(image)
    return image if max(image.width, height) <= box else shrink(image, box, deadline)


def _first_frame(image: pyvips.Image) -> pyvips.Image:
    if save.frames(image) == 1:
        return image
    still: pyvips.Image = image.crop(0, 0, image.width, image.get("page-height")).copy()
    for field in ("page-height", "n-pages", "delay", "loop"):
        still.remove(field)
    return still


def _opaque(image: pyvips.Image) -> pyvips.Image:
    """`image` without an alpha channel that hides nothing, as screenshots have it."""
    if image.hasalpha() and save.frames(image) == 1 and image[image.bands - 1].min() == 255:  # noqa: PLR2004
        return image[: image.bands - 1]
    return image


def _animation_box(header: Header) -> int:
    longest, pixels = max(header.width, header.height), header.width * header.height * header.frames
    return max(1, math.floor(longest * math.sqrt(min(1, ANIMATION_PIXELS / pixels))))


assert set(BOXES) == set(VARIANT_NAMES)  # noqa: S101 - a size the api names but nobody makes would be a bug at import
