"""The filter from an original to what is delivered in its place: the same pixels, without metadata."""

from collections.abc import Iterator
from typing import Protocol

from imghost_core.contract.errors import MetadataNotRemovable
from imghost_imaging.formats import EXTENSIONS, Format
from imghost_imaging.metadata import avif, gif, jpeg, png, webp
from imghost_imaging.metadata.errors import Unreadable

# Part of the ETag and the object key of what is delivered; raise it when the filter gives other bytes than before.
_VERSION = 1


class _Filter(Protocol):
    def __call__(self, data: bytes, *, keep_copyright: bool) -> Iterator[bytes]: ...


_FILTERS: dict[Format, _Filter] = {
    "jpeg": jpeg.strip,
    "png": png.strip,
    "gif": gif.strip,
    "webp": webp.strip,
    "avif": avif.strip,
}


def filter_name(*, keep_copyright: bool) -> str:
    """The name of the filter in keys and tags: the same name and the same original give the same bytes."""
    return f"{_VERSION}-copyright" if keep_copyright else str(_VERSION)


def strip(data: bytes, kind: Format, *, keep_copyright: bool) -> bytes:
    """`data`, a file of format `kind`, without metadata. Pixels, colour profile, orientation, animation, density stay.

    Raises `MetadataNotRemovable` when the structure does not show what is metadata; then nothing may be delivered.
    """
    try:
        return b"".join(_FILTERS[kind](data, keep_copyright=keep_copyright))
    except Unreadable as error:
        raise MetadataNotRemovable(
            f"The metadata of this {EXTENSIONS[kind].upper()} cannot be removed safely: {error}. "
            "Export the image again with an image editor and upload the new file."
        ) from error
