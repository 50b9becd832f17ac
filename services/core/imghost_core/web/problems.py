"""Problem documents as answers, and the handlers that make every failure one."""

import json
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from imghost_core import logs
from imghost_core.errors import HttpError
from imghost_core.problems import MEDIA_TYPE, problem, problem_headers

_ADVICE = {
    404: "No resource has this path. Check its spelling.",
    405: "This path does not support this method. The Allow header lists those it supports.",
}


def problem_response(error: HttpError, path: str) -> Response:
    """`error` as the answer to a request for `path`."""
    body = json.dumps(problem(error, instance=path, request_id=logs.request_id.get()))
    return Response(
        body, error.status, headers={**problem_headers(error), "X-Problem-Code": error.code}, media_type=MEDIA_TYPE
    )


def add_handlers(app: Starlette) -> None:
    """Answer our own errors, the framework's (unknown path, wrong method) and unexpected ones as problem documents."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, HttpError)  # noqa: S101 - registered for this type only
        return problem_response(error, request.url.path)

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
        return problem_response(_from_framework(error), request.url.path)

    async def unexpected(request: Request, _error: Exception) -> Response:
        error = HttpError("The request failed because of an internal error. Retry later.")
        return problem_response(error, request.url.path)

    app.add_exception_handler(HttpError, ours)
    app.add_exception_handler(Exception, unexpected)
    app.add_exception_handler(HTTPException, framework)


def _from_framework(error: HTTPException) -> HttpError:
    phrase = HTTPStatus(error.status_code).phrase
    ours = HttpError(
        _ADVICE.get(error.status_code, f"{phrase}. Check the request."),
        code=phrase.lower().replace(" ", "_"),
        headers=error.headers,
    )
    ours.status, ours.title = error.status_code, phrase
    return ours
