"""Problem documents as responses, and the handlers that turn every error into one."""

import json
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from imghost_core import logs
from imghost_core.errors import HttpError, InvalidRequest, MethodNotAllowed, NotFound
from imghost_core.problems import MEDIA_TYPE, problem, problem_headers

CLIENT_CLOSED_REQUEST = 499
"""The status under which logs and metrics count a request whose client hung up; nginx introduced it."""
PROBLEM_CODE = "imghost.problem_code"
"""Key of the ASGI scope under which the code of an error response is kept."""


def problem_response(error: HttpError, request: Request) -> Response:
    """`error` as the response to `request`; its code is left in the scope, for metrics."""
    request.scope[PROBLEM_CODE] = error.code
    body = json.dumps(problem(error, instance=request.scope["path"], request_id=logs.request_id.get()))
    return Response(body, error.status, headers=problem_headers(error), media_type=MEDIA_TYPE)


def add_handlers(app: Starlette) -> None:
    """Turn our own errors, those of the framework (unknown path, method) and unexpected ones into problem documents.

    A client that hangs up is no error: it is logged as `CLIENT_CLOSED_REQUEST`.
    """

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, HttpError)  # noqa: S101 - registered for this type only
        return problem_response(error, request)

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
        return problem_response(_from_framework(error), request)

    async def hung_up(_request: Request, _error: Exception) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)  # for the log only: there is no connection to send it on

    async def handle_unexpected(request: Request, _error: Exception) -> Response:
        error = HttpError("The request failed because of an internal error. Retry later.")
        return problem_response(error, request)

    app.add_exception_handler(HttpError, ours)
    app.add_exception_handler(ClientDisconnect, hung_up)
    app.add_exception_handler(Exception, handle_unexpected)
    app.add_exception_handler(HTTPException, framework)


def _from_framework(error: HTTPException) -> HttpError:
    """The problem that the status of the framework's exception stands for."""
    match error.status_code:
        case 404:
            return NotFound("No resource has this path. Check its spelling.")
        case 405:
            detail = "This path does not support this method. The Allow header lists those it supports."
            return MethodNotAllowed(detail, headers=error.headers)
        case status if 400 <= status < 500:  # noqa: PLR2004
            return InvalidRequest(f"{HTTPStatus(status).phrase}. Check the request.", headers=error.headers)
        case _:
            return HttpError("The request failed because of an internal error. Retry later.", headers=error.headers)
