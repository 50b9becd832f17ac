"""Errors as RFC 9457 problem documents, with the `success` and `message` members our older clients read."""

from typing import Any

from imghost_core.errors import HttpError

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "https://imghost.dev/problems/"


def problem(error: HttpError, *, instance: str, request_id: str) -> dict[str, Any]:
    """The problem document of `error` for the request to path `instance`."""
    return {
        **error.extra,
        "type": TYPE_BASE + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        "errors": error.errors,
        "success": False,
        "message": error.detail,
    }


def problem_headers(error: HttpError) -> dict[str, str]:
    """The headers that go with the document: never cached, and `Retry-After` where waiting helps."""
    headers = {"Cache-Control": "no-store", **error.headers}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, error.retry_after))
    return headers
