"""Request bodies, read whole with a limit on size and time."""

import asyncio

from starlette.requests import Request

from imghost_core.errors import InvalidRequest, TooLarge


async def read_body(request: Request, *, limit: int, seconds: float) -> bytes:
    """The body of at most `limit` bytes; raises `TooLarge`, or `InvalidRequest` after `seconds`."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise TooLarge(f"The body of this request may have at most {limit} bytes. Send a smaller one.")
    except TimeoutError as error:
        raise InvalidRequest(f"The body did not arrive within {seconds:g} s. Send it again.") from error
    return bytes(body)
