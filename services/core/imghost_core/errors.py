"""The one error type of imghost: it knows its status, its public text and what the caller should do next."""

from collections.abc import Mapping
from typing import Any


class ImghostError(Exception):
    """A failure with a public answer.

    `code` is stable and machine-readable, `status` is the HTTP status, `detail` says what happened, why, and what to
    do about it; nothing in it may be secret. `retry_after` is in seconds, `errors` lists field problems, `extra` adds
    members to the problem document.
    """

    status = 500
    code = "internal_error"
    title = "Something went wrong on our side"

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
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.retry_after = retry_after
        self.errors = errors or []
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


class InvalidRequest(ImghostError):
    """The request itself is malformed: bad JSON, a missing field, a value out of range."""

    status, code, title = 400, "invalid_request", "The request is not valid"


class Unauthorized(ImghostError):
    """Nobody is signed in, or the credential is wrong, revoked or expired."""

    status, code, title = 401, "unauthorized", "Sign in to go on"


class PlanNeeded(ImghostError):
    """The plan's allowance is used up; more needs another plan or deleting something."""

    status, code, title = 402, "quota_exceeded", "The plan's allowance is used up"


class Forbidden(ImghostError):
    """The caller is known and may not do this."""

    status, code, title = 403, "forbidden", "This is not allowed"


class NotFound(ImghostError):
    """The thing does not exist, or the caller may not know that it does."""

    status, code, title = 404, "not_found", "There is no such thing here"


class Conflict(ImghostError):
    """The request collides with what is already there."""

    status, code, title = 409, "conflict", "This collides with something that exists"


class TooLarge(ImghostError):
    """The body is larger than allowed."""

    status, code, title = 413, "too_large", "The file is too large"


class UnsupportedMedia(ImghostError):
    """The bytes are not an image of a format that is switched on."""

    status, code, title = 415, "unsupported_format", "This is not an image we can host"


class Unprocessable(ImghostError):
    """The request is well-formed but its content is refused."""

    status, code, title = 422, "unprocessable", "The content was refused"


class TooManyRequests(ImghostError):
    """A rate limit or a daily limit is reached; `retry_after` says when it ends."""

    status, code, title = 429, "rate_limited", "Too many requests"


class Unavailable(ImghostError):
    """A part we depend on is out of reach or overloaded; trying again helps."""

    status, code, title = 503, "unavailable", "The service is not available right now"

    def __init__(self, detail: str, *, retry_after: int = 5, code: str | None = None) -> None:
        super().__init__(detail, retry_after=retry_after, code=code)
