"""Responses of the library."""

from imghost_api.http.fields import ResponseModel
from imghost_api.images.schemas import UploadedImageResource
from imghost_core.timestamps import UtcDatetime


class ImageResource(UploadedImageResource):
    """An image in the list of its workspace."""

    original_name: str
    mime_type: str
    views: int
    is_public: bool
    uploaded_at: UtcDatetime


class ImagesResponse(ResponseModel):
    """One page, newest first. If `has_more`, send `next_cursor` as `cursor` to get the next page."""

    data: list[ImageResource]
    has_more: bool
    next_cursor: str | None


class DeletedResponse(ResponseModel):
    """The image was deleted."""

    id: str
    message: str
