"""Errors as RFC 9457 problem documents, with the `success` and `message` members our older clients read."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class ProblemType:
    """What is the same for every problem with one `code`: the content of its page."""

    code: str
    status: int
    title: str
    meaning: str
    advice: str


def problem_types() -> Mapping[str, ProblemType]:
    """The problem types of all error classes that this process has imported, by code, sorted.

    Where classes share a code, the most general one describes it.
    """
    types: dict[str, ProblemType] = {}
    for error in _error_classes(HttpError):
        types.setdefault(error.code, to_problem_type(error))
    return dict(sorted(types.items()))


def to_problem_type(error: type[HttpError]) -> ProblemType:
    """The problem type of one error class."""
    meaning = inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return ProblemType(error.code, error.status, error.title, meaning, error.advice)


def _error_classes(base: type[HttpError]) -> Iterator[type[HttpError]]:
    """The class and all that derive from it, the more general ones first."""
    level = [base]
    while level:
        yield from level
        level = [derived for error in level for derived in error.__subclasses__()]
