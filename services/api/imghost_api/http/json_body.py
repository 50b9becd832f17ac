"""Bodies of JSON routes: read completely before anything else, bounded in size and time."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from imghost_api.http.problem_types import raises
from imghost_core.errors import InvalidRequest, TooLarge
from imghost_core.web.body import read_body

MAX_BYTES: Final = 64 * 1024  # far above every JSON body of this API
_SECONDS: Final = 10.0


@raises(InvalidRequest, TooLarge)
class JsonRoute(APIRoute):
    """A route with a JSON body of at most `MAX_BYTES` bytes that must arrive in time; others are rejected."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the body read beforehand."""
        handle = super().get_route_handler()

        async def handle_limited(request: Request) -> Response:
            body = await read_body(request, limit=MAX_BYTES, seconds=_SECONDS)
            return await handle(_with_body(request, body))

        return handle_limited


def _with_body(request: Request, body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)
