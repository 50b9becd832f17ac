"""The service's end of a channel: sends work to a child and reads its answer, which may be anything."""

import asyncio
from collections.abc import Sequence
from socket import socket
from typing import Any

from imghost_imaging.sandbox import wire


async def exchange(
    channel: socket, head: dict[str, Any], body: bytes, *, most: int
) -> tuple[dict[str, Any], Sequence[bytes]]:
    """Send a message and return the answer, whose bodies have at most `most` bytes together.

    Raises `ConnectionError` when the child ends before, and `wire.InvalidMessage`.
    """
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(channel, wire.encode(head, [body]))
    await loop.sock_sendall(channel, body)
    length = wire.decode_length(await _take(channel, wire.LENGTH.size))
    answer, sizes = wire.decode_head(await _take(channel, length), most=most)
    return answer, [await _take(channel, size) for size in sizes]


async def _take(channel: socket, size: int) -> bytes:
    body = bytearray(size)
    view = memoryview(body)
    while view:
        count = await asyncio.get_running_loop().sock_recv_into(channel, view)
        if not count:
            raise ConnectionError("the child has ended")
        view = view[count:]
    return bytes(body)
