"""Failures of receiving an upload. Those about the image itself are in `imghost_core.contract.errors`."""

from imghost_api.idempotency.errors import IdempotencyKeyReused, ImageOfKeyDeleted, RequestInProgress
from imghost_api.imaging_client import ImagingUnavailable
from imghost_api.plans.errors import DailyLimitReached, StorageLimitReached
from imghost_core.contract.errors import INGEST_ERRORS, FileTooLarge, OriginalDiffers, Overloaded
from imghost_core.errors import HttpError, InvalidRequest, Unavailable
from imghost_core.web.incoming_body import BodyTooSlow

FIELD = "file"
"""Name of the form field that holds the image."""


class InvalidMultipart(InvalidRequest):
    """The body is not a valid multipart/form-data body, or exceeds a limit on its parts."""

    code, title = "invalid_multipart", "Invalid multipart body"
    advice = f"Send one file in the form field `{FIELD}`; HTTP libraries build such bodies."


class FileMissing(InvalidRequest):
    """The form has no file."""

    code, title = "file_missing", "File missing"
    advice = f"Send the image as multipart/form-data, in the field `{FIELD}`."

    def __init__(self, detail: str = f"The form has no field `{FIELD}`. Send the image in it.") -> None:
        super().__init__(detail, errors=[{"field": FIELD, "message": "is missing"}])


class SeveralFiles(InvalidRequest):
    """The form has more than one file."""

    code, title = "several_files", "Several files"
    advice = "Upload one file per request."

    def __init__(self) -> None:
        super().__init__(
            "The form has more than one file. Upload one file per request.",
            errors=[{"field": FIELD, "message": "given more than once"}],
        )


class UploadTooLarge(FileTooLarge):
    """The file is larger than the plan or the service allows.

    The connection stays open and the server discards the rest of the body: closing it under a client that still sends
    would reset it, and the response would be lost.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The file exceeds the limit of {limit} bytes of your plan and this service. Send a smaller file.",
            extra={"limit_bytes": limit},
        )


class UploadTimeout(HttpError):
    """The body took longer than one upload may take."""

    status, code, title = 408, "upload_timeout", "Upload timeout"
    advice = "Upload the image again over a faster connection, or upload a smaller copy."


class NoDiskSpace(Unavailable):
    """The process has no disk space to receive the upload."""

    code, title = "no_disk_space", "No disk space"

    def __init__(self) -> None:
        super().__init__("No disk space to receive the upload. Retry shortly.")


UPLOAD_ERRORS = (
    InvalidMultipart,
    FileMissing,
    SeveralFiles,
    UploadTooLarge,
    UploadTimeout,
    BodyTooSlow,
    NoDiskSpace,
    Overloaded,
    OriginalDiffers,
    ImagingUnavailable,
    IdempotencyKeyReused,
    ImageOfKeyDeleted,
    RequestInProgress,
    DailyLimitReached,
    StorageLimitReached,
    *INGEST_ERRORS,
)
"""Everything an upload may fail with after the caller is admitted."""
