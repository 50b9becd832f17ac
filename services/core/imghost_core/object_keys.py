"""Keys of an image's objects in the store: made of generated ids only, never of a name that a user chose."""

from typing import Literal
from uuid import UUID

VariantName = Literal["thumb", "small", "medium", "large"]
VARIANT_NAMES: tuple[VariantName, ...] = ("thumb", "small", "medium", "large")


def image_prefix(workspace: UUID, image: UUID) -> str:
    """The prefix of all objects of one image: original, delivered original, mezzanine and variants."""
    return f"w/{workspace}/{image}/"


def original(workspace: UUID, image: UUID, sha256: str) -> str:
    """The key of the original, which contains its hash."""
    return f"{image_prefix(workspace, image)}original/{sha256}"


def delivered(workspace: UUID, image: UUID, name: str) -> str:
    """The key of what is delivered in place of the original: without metadata, made by the filter `name`.

    An object of no bytes says that the original has no metadata and is delivered itself.
    """
    return f"{image_prefix(workspace, image)}delivered/{name}"


def mezzanine(workspace: UUID, image: UUID, extension: str) -> str:
    """The key of the mezzanine, a copy of at most 1600 px from which variants can be rendered."""
    return f"{image_prefix(workspace, image)}mezzanine.{extension}"


def variant(workspace: UUID, image: UUID, name: str, extension: str) -> str:
    """The key of one variant."""
    return f"{image_prefix(workspace, image)}variants/{name}.{extension}"
