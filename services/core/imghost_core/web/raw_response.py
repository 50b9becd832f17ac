"""Problem documents for connections on which no application responds: the request is not complete, or not wanted."""

import json
from http import HTTPStatus
from typing import Final

from imghost_core.errors import HttpError, InvalidRequest, Unavailable
from imghost_core.ids import uuid7
from imghost_core.problems import MEDIA_TYPE, problem, problem_headers

_RETRY_SECONDS: Final = 5


class TooManyConnections(Unavailable):
    """The server has as many connections as it can serve, or as many from this network address as it accepts."""

    code, title = "too_many_connections", "Too many connections"
    advice = "Use fewer connections, keep them open, and retry after the number of seconds in `Retry-After`."

    def __init__(self) -> None:
        super().__init__(
            "Too many open connections, in all or from your network address. Use fewer, or retry shortly.",
            retry_after=_RETRY_SECONDS,
        )


class TooMuchFraming(InvalidRequest):
    """The chunked body has more around its data (sizes, extensions, trailers) than data."""

    code, title = "too_much_framing", "Too much around the chunks of a body"
    advice = "Send larger chunks, without extensions and trailers, or a `Content-Length`."

    def __init__(self) -> None:
        super().__init__("The chunked body has more sizes, extensions and trailers than data. Send larger chunks.")


class InvalidHttp(InvalidRequest):
    """The request is no valid HTTP/1.1."""

    code, title = "invalid_http", "Invalid HTTP"
    advice = "Use an HTTP library to build requests."

    def __init__(self) -> None:
        super().__init__("The request is not valid HTTP/1.1 (RFC 9112).")


def build(error: HttpError) -> bytes:
    """The whole response, after which the connection ends."""
    request_id = str(uuid7())
    body = json.dumps(problem(error, instance="", request_id=request_id)).encode()
    headers = {
        **problem_headers(error),
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "X-Request-Id": request_id,
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n{lines}\r\n".encode() + body
