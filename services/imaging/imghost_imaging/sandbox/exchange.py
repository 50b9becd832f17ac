"""The service's end of a channel: sends work to a child and reads its answer, which may be anything."""

import asyncio
from collections.abc import Sequence
from io import BytesIO
from socket import socket
from typing import Any

from imghost_imaging.sandbox import wire

_PART = 256 * 1024  # bytes


async def exchange(
    channel: socket, head: dict[str, Any], body: bytes, *, most: int
) -> tuple[dict[str, Any], Sequence[bytes]]:
    """Send a message and return the answer, whose bodies have at most `most` bytes together.

    Raises `ConnectionError` when the child ends before, and `wire.InvalidMessage`.
    """
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(channel, wire.encode(head, [body]))
    if body:  # the child may have answered and ended already when there is none
        await loop.sock_sendall(channel, body)
    length = wire.decode_length(await _take(channel, wire.LENGTH.size))
    answer, sizes = wire.decode_head(await _take(channel, length), most=most)
    return answer, [await _take(channel, size) for size in sizes]


async def _take(channel: socket, size: int) -> bytes:
    """The next `size` bytes; they take memory as they arrive, and `BytesIO` hands them over without a copy."""
    body, left = BytesIO(), size
    while left:
        part = await asyncio.get_running_loop().sock_recv(channel, min(left, _PART))
        if not part:
            raise ConnectionError("the child has ended")
        left -= body.write(part)
    return body.getvalue()
