"""What happens to images."""

from typing import ClassVar
from uuid import UUID

from imghost_api.events.event import Event


class _ImageEvent(Event):
    image_id: UUID
    public_id: str
    file_size: int

    @property
    def subject(self) -> str:
        """The image."""
        return f"image/{self.image_id}"


class ImageUploaded(_ImageEvent):
    """An image was stored, with its variants, and acknowledged."""

    type: ClassVar[str] = "image.uploaded"

    user_id: UUID
    mime_type: str
    width: int
    height: int


class ImageDeleted(_ImageEvent):
    """An image was deleted from the library; its objects are still there."""

    type: ClassVar[str] = "image.deleted"
