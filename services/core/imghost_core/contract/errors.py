"""Why imaging rejects an image or a request: the api passes these on to its clients unchanged, and documents them."""

from imghost_core.errors import (
    InvalidRequest,
    PlanLimitExceeded,
    TooLarge,
    TooManyRequests,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
)


class EmptyFile(Unprocessable):
    """The file has no bytes."""

    code, title = "empty_file", "Empty file"
    advice = "Select the image again and upload it."


class FileTooLarge(TooLarge):
    """The file is larger than the plan or the service allows."""

    code, title = "too_large", "Content too large"
    advice = "Upload a smaller copy, or change to a plan with a higher limit."


class UnsupportedFormat(UnsupportedMedia):
    """The bytes are not an image of an enabled format. The content decides, not the name or the header."""

    code, title = "unsupported_format", "Unsupported image format"
    advice = "Convert the image to one of the formats that `detail` names and upload it again."


class CorruptImage(Unprocessable):
    """Pixels of the image are missing or damaged. End markers, trailing bytes and metadata do not matter."""

    code, title = "corrupt_image", "Corrupt image"
    advice = "Export the image again and upload the new copy."


class TooManyPixels(Unprocessable):
    """The image has more pixels than the service decodes; the pixels of all frames of an animation count."""

    code, title = "too_many_pixels", "Too many pixels"
    advice = "Scale the image down and upload it again."


class TooManyFrames(Unprocessable):
    """The animation has more frames than the service decodes."""

    code, title = "too_many_frames", "Too many frames"
    advice = "Shorten the animation and upload it again."


class ImageTooComplex(Unprocessable):
    """Decoding the image takes more memory or time than the service has for one image, or than its header announces."""

    code, title = "too_complex", "Image too complex to decode"
    advice = "Scale the image down, or save it without interlacing and with 8 bits a channel, and upload it again."


class EmbeddedContent(Unprocessable):
    """The file is an image and also a document of another kind, such as HTML or a ZIP archive."""

    code, title = "polyglot", "Embedded content"
    advice = "Export the image again with an image editor, which removes the other content."


class MetadataNotRemovable(Unprocessable):
    """The structure of the file is damaged in a way that location and other private metadata cannot be removed."""

    code, title = "metadata_not_removable", "Metadata not removable"
    advice = "Export the image again with an image editor, which writes a sound file, and upload that."


class OriginalDiffers(Unavailable):
    """The stored original is not the one that was uploaded."""

    code, title = "original_differs", "Stored original differs"


class Overloaded(Unavailable):
    """More work is waiting than this process admits."""

    code, title = "overloaded", "Overloaded"


class UnknownSize(InvalidRequest):
    """The requested size is not a named variant."""

    code, title = "unknown_size", "Unknown size"
    advice = "Request one of the sizes that `detail` names."


class BandwidthUsedUp(TooManyRequests):
    """The owner of the image has used up the bandwidth of this month (UTC), and their plan waits for the next one."""

    code, title = "bandwidth_exceeded", "Monthly bandwidth used up"
    advice = "Wait for the number of seconds in `Retry-After`, or ask the owner of the image to change the plan."

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "The owner of this image has used up the bandwidth of this month. Retry next month (UTC).",
            retry_after=retry_after,
        )


class BandwidthUnpaid(PlanLimitExceeded):
    """The owner of the image has used up the bandwidth of this month (UTC), and has to change the plan for more."""

    code, title = "bandwidth_quota_exceeded", "Bandwidth limit of the plan reached"
    advice = "Ask the owner of the image to change to a larger plan."

    def __init__(self) -> None:
        super().__init__("The owner of this image has used up the bandwidth of their plan. Ask them for a larger plan.")


INGEST_ERRORS = (
    EmptyFile,
    FileTooLarge,
    UnsupportedFormat,
    CorruptImage,
    TooManyPixels,
    TooManyFrames,
    ImageTooComplex,
    EmbeddedContent,
    MetadataNotRemovable,
)
"""What an upload may be rejected for by imaging."""
