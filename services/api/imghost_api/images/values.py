"""An image as upload and library describe it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A stored image: its public id, its file name extensions, and its properties by content."""

    public_id: str
    extension: str
    variant_extension: str
    width: int
    height: int
    file_size: int
    format: str

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any]) -> Self:
        """The image in a stored reply, also in one of a later release with more fields."""
        return cls(**{field.name: reply[field.name] for field in fields(cls)})
