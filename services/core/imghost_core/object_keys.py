"""Where an image's objects live in the store. Keys are made of our own ids only, never of a name a user chose."""

from typing import Literal
from uuid import UUID

VariantName = Literal["thumb", "small", "medium", "large"]
VARIANT_NAMES: tuple[VariantName, ...] = ("thumb", "small", "medium", "large")


def image_prefix(workspace: UUID, image: UUID) -> str:
    """Everything of one image lies below this; deleting it deletes the image and all made from it."""
    return f"w/{workspace}/{image}/"


def original(workspace: UUID, image: UUID, sha256: str) -> str:
    """The uploaded bytes, under their own hash."""
    return f"{image_prefix(workspace, image)}original/{sha256}"


def mezzanine(workspace: UUID, image: UUID, extension: str) -> str:
    """The copy of at most 1600 px that other sizes are made from."""
    return f"{image_prefix(workspace, image)}mezzanine.{extension}"


def variant(workspace: UUID, image: UUID, name: str, extension: str) -> str:
    """One named size."""
    return f"{image_prefix(workspace, image)}variants/{name}.{extension}"
