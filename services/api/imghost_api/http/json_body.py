"""Bodies of JSON routes: read completely before anything else, bounded in size and time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from imghost_core.errors import InvalidRequest, TooLarge

MAX_BYTES: Final = 64 * 1024  # far above every JSON body of this API
_SECONDS: Final = 10.0


class JsonRoute(APIRoute):
    """A route with a JSON body of at most `MAX_BYTES` bytes that must arrive in time; others are rejected."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the body read beforehand."""
        handle = super().get_route_handler()

        async def handle_limited(request: Request) -> Response:
            return await handle(_with_body(request, await _read(request)))

        return handle_limited


async def _read(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise TooLarge(f"The JSON body exceeds {MAX_BYTES} bytes. Send a smaller one.")
    except TimeoutError as error:
        raise InvalidRequest("The body did not arrive in time. Send it again.") from error
    return bytes(body)


def _with_body(request: Request, body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)
