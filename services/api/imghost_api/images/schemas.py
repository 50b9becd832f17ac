"""An image in responses."""

from typing import Any, Self

from pydantic import BaseModel, Field

from imghost_api.images.urls import UrlBuilder
from imghost_api.images.values import StoredImage


class ImageMetadata(BaseModel):
    """Dimensions in pixels, size of the original in bytes, and format by content."""

    width: int
    height: int
    size: int
    format: str


class UploadedImageResource(BaseModel):
    """A stored image and its URLs."""

    id: str = Field(description="Public id", examples=["4fGd8sKq0ZxT"])
    filename: str = Field(examples=["4fGd8sKq0ZxT.jpg"])
    url: str
    thumbnail: str
    view_url: str
    metadata: ImageMetadata

    @classmethod
    def of(cls, image: StoredImage, urls: UrlBuilder, **fields: Any) -> Self:
        """The image with its URLs; `fields` are those of a subclass."""
        built = urls.build(image.public_id, image.extension, image.variant_extension)
        return cls(
            id=image.public_id,
            filename=f"{image.public_id}.{image.extension}",
            url=built.url,
            thumbnail=built.thumbnail,
            view_url=built.view_url,
            metadata=ImageMetadata(width=image.width, height=image.height, size=image.file_size, format=image.format),
            **fields,
        )
