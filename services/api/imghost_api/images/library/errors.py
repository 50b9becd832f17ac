"""Failures of the library."""

from imghost_core.errors import InvalidRequest, NotFound


class ImageNotFound(NotFound):
    """The workspace has no image with this id."""

    code, title = "image_not_found", "Image not found"
    advice = "List the images of the workspace for their ids."

    def __init__(self) -> None:
        super().__init__("No image has this id. List your images for their ids.")


class InvalidCursor(InvalidRequest):
    """The cursor was not issued by this route."""

    code, title = "invalid_cursor", "Invalid cursor"
    advice = "Send `next_cursor` of the previous page, unchanged, or leave it out for the first page."

    def __init__(self) -> None:
        super().__init__(
            "The cursor is not valid. Send `next_cursor` of the previous page, unchanged.",
            errors=[{"field": "cursor", "message": "is not valid"}],
        )
