"""The errors of imghost: a stable code and a text that says what happened, why and what to do."""

from collections.abc import Mapping
from typing import Any


class ImghostError(Exception):
    """An expected failure.

    `code` is stable and machine-readable. `detail` says what happened, why, and what to do about it; it is shown to
    users, so nothing in it may be secret.
    """

    code = "internal_error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code


class HttpError(ImghostError):
    """The request failed because of an internal error.

    Base of every failure whose response is a problem document (RFC 9457).

    `status` is the HTTP status. `title`, the docstring and `advice` (what to do) are the same for every occurrence of
    a `code`; they make the page of that problem. `retry_after` is in seconds, `errors` lists field problems, `extra`
    adds members to the problem document, `headers` are added to the response.
    """

    status: int = 500
    title: str = "Internal error"
    advice: str = "Retry later. If it persists, report the request id to the operators of this service."

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        retry_after: int | None = None,
        errors: list[dict[str, str]] | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after
        self.errors = errors or []
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


class InvalidRequest(HttpError):
    """The request is malformed: invalid JSON, a missing field, a value out of range."""

    status, code, title = 400, "invalid_request", "Invalid request"
    advice = "Correct the fields that `errors` lists and send the request again."


class Unauthorized(HttpError):
    """No credential was sent, or it is wrong, revoked or expired."""

    status, code, title = 401, "unauthorized", "Authentication required"
    advice = "Send an access token as `Authorization: Bearer <token>`, or an API key as `X-API-Key`."


class PlanLimitExceeded(HttpError):
    """A limit of the plan is reached; more needs another plan, or deleting something."""

    status, code, title = 402, "quota_exceeded", "Plan limit exceeded"
    advice = "Delete something, or change to a larger plan."


class Forbidden(HttpError):
    """The caller is known and lacks the permission."""

    status, code, title = 403, "forbidden", "Forbidden"
    advice = (
        "Use an account or API key with the permission that `detail` names, or ask an owner of the workspace for it."
    )


class NotFound(HttpError):
    """The resource does not exist, or the caller may not know that it does."""

    status, code, title = 404, "not_found", "Not found"
    advice = "Check the id and the path."


class MethodNotAllowed(HttpError):
    """The path does not support this method."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"
    advice = "Use one of the methods in the `Allow` header."


class Conflict(HttpError):
    """The request conflicts with the current state of a resource."""

    status, code, title = 409, "conflict", "Conflict"
    advice = "Read the current state of the resource, then repeat the request if it still applies."


class TooLarge(HttpError):
    """The body is larger than allowed."""

    status, code, title = 413, "too_large", "Content too large"
    advice = "Send a smaller body."


class UnsupportedMedia(HttpError):
    """The bytes are not an image of an enabled format."""

    status, code, title = 415, "unsupported_format", "Unsupported image format"
    advice = "Send a JPEG, PNG, GIF or WebP image, or AVIF where the tenant enables it."


class Unprocessable(HttpError):
    """The request is well-formed but its content is refused."""

    status, code, title = 422, "unprocessable", "Unprocessable content"
    advice = "Correct what `detail` names and send the request again."


class TooManyRequests(HttpError):
    """A rate limit or a daily limit is reached; `retry_after` says when it resets."""

    status, code, title = 429, "rate_limited", "Too many requests"
    advice = "Wait for the number of seconds in `Retry-After`, then send the request again."


class Unavailable(HttpError):
    """A dependency is unreachable or overloaded; retrying helps."""

    status, code, title = 503, "unavailable", "Service unavailable"
    advice = "Wait for the number of seconds in `Retry-After`, then send the request again."

    def __init__(self, detail: str, *, retry_after: int = 5, code: str | None = None) -> None:
        super().__init__(detail, retry_after=retry_after, code=code)
