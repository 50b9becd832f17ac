"""Raw connections of an attacker: opened from one loopback address, kept, and counted."""

import asyncio
import socket
from contextlib import suppress
from typing import NamedTuple

ATTACKER = "127.66.0.1"
_RECEIVE_BYTES = 4096


class Target(NamedTuple):
    """What is attacked: two listeners, the attacker's own API key, and the path of a large image."""

    api: tuple[str, int]
    imaging: tuple[str, int]
    key: str
    image: str


async def connect(address: tuple[str, int]) -> socket.socket | None:
    """A connection from the attacker's address with a small receive buffer; None when it is refused."""
    client = socket.socket()
    client.settimeout(0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
    client.bind((ATTACKER, 0))
    try:
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().sock_connect(client, address)
    except OSError:
        client.close()
        return None
    return client


async def send(client: socket.socket, data: bytes) -> bool:
    """Send all of `data`, for at most 5 s; False when the other side has closed or does not read."""
    with suppress(OSError):
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().sock_sendall(client, data)
            return True
    return False


def is_open(client: socket.socket) -> bool:
    """Whether the server still holds the connection; what it sent is read."""
    try:
        while data := client.recv(65536):
            del data
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
