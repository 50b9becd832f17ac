"""Bodies of JSON routes: read whole before anything else, so bounded in size and time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from imghost_core.errors import InvalidRequest, TooLarge

LARGEST: Final = 64 * 1024  # no JSON body of ours comes near
_SECONDS: Final = 10.0


class JsonRoute(APIRoute):
    """A route whose body has at most `LARGEST` bytes and arrives in time; others are refused half-read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the body read for it."""
        handle = super().get_route_handler()

        async def limited(request: Request) -> Response:
            return await handle(_whole(request, await _read(request)))

        return limited


async def _read(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise TooLarge(f"A JSON body may have {LARGEST} bytes. Send a smaller one.")
    except TimeoutError as error:
        raise InvalidRequest("The body came too slowly. Send it again.") from error
    return bytes(body)


def _whole(request: Request, body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)
