"""Failures of the library."""

from imghost_core.errors import Conflict, InvalidRequest, NotFound


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


class OriginalWithheld(Conflict):
    """The metadata policy of the workspace is `strip`: originals are not delivered as they were uploaded."""

    code, title = "original_withheld", "Original withheld"
    advice = "Download the image from its `url`, or let an owner or admin of the workspace set another metadata policy."

    def __init__(self) -> None:
        super().__init__(
            "The metadata policy of the workspace is `strip`, so the exact original is not delivered. Download the "
            "image without metadata from its `url`, or set the policy to `owner` in the settings of the workspace."
        )
