"""Failures of idempotency keys."""

from imghost_core.errors import Conflict, Unprocessable


class IdempotencyKeyReused(Unprocessable):
    """The `Idempotency-Key` belongs to an earlier request with other content."""

    code, title = "idempotency_key_reused", "Idempotency key reused"
    advice = "Use a new key for each new file; repeat a key only to retry the same file."

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another file. Use a new key for a new file.")


class ImageOfKeyDeleted(Conflict):
    """The upload with this `Idempotency-Key` succeeded, and its image was deleted since."""

    code, title = "idempotency_image_deleted", "Image of this key deleted"
    advice = "Use a new key to upload the file again."

    def __init__(self) -> None:
        super().__init__(
            "The upload with this Idempotency-Key succeeded and its image was deleted since, so it is not repeated. "
            "Use a new key to upload the file again."
        )


class RequestInProgress(Conflict):
    """The first request with this `Idempotency-Key` is still running."""

    code, title = "idempotency_in_progress", "Request in progress"
    advice = "Wait for the number of seconds in `Retry-After`, then retry the same request with the same key."

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "An upload with this Idempotency-Key is still running. Retry the same request shortly.",
            retry_after=retry_after,
        )
