"""What is made of an image, and its form in messages of the sandbox. Pure, so that the service needs no libvips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imghost_core.object_keys import VARIANT_NAMES, VariantName
from imghost_imaging.formats import VARIANT_MIME_TYPES, Format
from imghost_imaging.render.limits import Header

_MOST = 2**31
_SIZE = ("width", "height", "frames")


@dataclass(frozen=True, slots=True)
class Renditions:
    """The files made from one original, all with the same extension, `jpg` or `webp`."""

    extension: str
    mezzanine: bytes
    variants: dict[VariantName, bytes]

    @property
    def total_bytes(self) -> int:
        """Size of all files together."""
        return len(self.mezzanine) + sum(map(len, self.variants.values()))


@dataclass(frozen=True, slots=True)
class Rendered:
    """Format and size of an original, and its renditions."""

    format: Format
    header: Header
    renditions: Renditions


def to_message(rendered: Rendered) -> tuple[dict[str, Any], list[bytes]]:
    """Values that JSON can express, and the files."""
    header, made = rendered.header, rendered.renditions
    size = {name: getattr(header, name) for name in _SIZE}
    return size | {"extension": made.extension}, [made.mezzanine, *(made.variants[name] for name in VARIANT_NAMES)]


def from_message(kind: Format, result: object, files: Sequence[bytes]) -> Rendered:
    """The opposite of `to_message`, for an image of this format. Raises `ValueError` otherwise."""
    if not isinstance(result, Mapping) or len(files) != 1 + len(VARIANT_NAMES):
        raise ValueError("these are not the renditions of an image")
    given, extension = [result.get(name) for name in _SIZE], str(result.get("extension"))
    size = [one for one in given if type(one) is int and 0 < one < _MOST]
    if extension not in VARIANT_MIME_TYPES or len(size) != len(_SIZE):
        raise ValueError("the size or the extension is impossible")
    mezzanine, *variants = files
    return Rendered(
        kind, Header(*size), Renditions(extension, mezzanine, dict(zip(VARIANT_NAMES, variants, strict=True)))
    )
