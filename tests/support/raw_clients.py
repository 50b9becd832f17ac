"""Clients of a bounded server that write bytes, and read what they choose."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

from imghost_core.web.limits import Limits
from support.bounded_server import BoundedServer

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
CLOSING = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
QUICK = Limits(sweep_seconds=0.01)


async def ask(server: BoundedServer, sent: bytes, address: str = "127.0.0.1") -> bytes:
    """What the server sends until it closes the connection, in at most 10 s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(address, 0))
    received = b""
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        async with asyncio.timeout(10):
            writer.write(sent)
            while data := await reader.read(65536):
                received += data
    return received


@contextlib.contextmanager
def opened(server: BoundedServer, count: int, sent: bytes = b"", address: str = "127.0.0.1") -> Iterator[None]:
    """`count` connections from `address`, each with `sent` on its way, and nothing read."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.bind((address, 0))
            client.connect(("127.0.0.1", server.port))
            client.sendall(sent)
        yield
