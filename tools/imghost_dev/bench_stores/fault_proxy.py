"""A proxy before an S3 that fails on demand, request by request."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from enum import Enum, auto
from typing import Self

HOST = "127.0.0.1"
SLOW_CHUNK = 16 * 1024
SMALL_BUFFER = 16 * 1024
RESET = struct.pack("ii", 1, 0)  # SO_LINGER without a wait: closing sends RST


class Fault(Enum):
    """What happens to one request."""

    NONE = auto()
    SILENCE = auto()  # the request is read, no response comes
    STATUS_500 = auto()
    STATUS_503 = auto()  # SlowDown
    STATUS_503_LATER = auto()  # the same with Retry-After, as MinIO sends while it starts
    RESET = auto()  # the request is read, then the connection is reset
    BODY_STOPS = auto()  # half of the response's body, then nothing
    BODY_ENDS = auto()  # half of it, then the connection closes in order
    BODY_RESET = auto()
    UPLOAD_CHANGED = auto()  # one byte on the way to the store
    DOWNLOAD_CHANGED = auto()  # one byte on the way back
    UPLOAD_SLOW = auto()  # always moving, over three seconds


ERRORS = {
    Fault.STATUS_500: ("500 Internal Server Error", "InternalError"),
    Fault.STATUS_503: ("503 Service Unavailable", "SlowDown"),
    Fault.STATUS_503_LATER: ("503 Service Unavailable\r\nRetry-After: 5", "XMinioServerNotInitialized"),
}


class FaultProxy:
    """Forwards requests to a port of this machine; `plan` says what happens to request 1, 2 and so on.

    Use it as an async context manager. Each connection carries one request. `requests` counts them, `dropped` is set
    when a client left without a response.
    """

    def __init__(self, target: int, plan: Callable[[int], Fault]) -> None:
        self._target, self._plan = target, plan
        self.requests = 0
        self.dropped = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        listener = socket.create_server((HOST, 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)  # so that a slow upload is felt
        self._server = await asyncio.start_server(self._accept, sock=listener)
        self.endpoint = f"http://{HOST}:{listener.getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._serve(reader, writer)
        self._writers.discard(writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        fault = self._plan(self.requests)
        body = await self._read_body(reader, content_length(head), slow=fault is Fault.UPLOAD_SLOW)
        match fault:
            case Fault.SILENCE:
                await self._wait_until_dropped(reader)
            case Fault.RESET:
                reset(writer)
            case Fault.STATUS_500 | Fault.STATUS_503 | Fault.STATUS_503_LATER:
                writer.write(error_response(*ERRORS[fault]))
            case _:
                await self._answer(reader, writer, await self._forward(head, changed(body, fault)), fault)

    async def _read_body(self, reader: asyncio.StreamReader, length: int, *, slow: bool) -> bytes:
        if not slow:
            return await reader.readexactly(length)
        parts = []
        for offset in range(0, length, SLOW_CHUNK):
            parts.append(await reader.readexactly(min(SLOW_CHUNK, length - offset)))
            await asyncio.sleep(3 * SLOW_CHUNK / length)
        return b"".join(parts)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, response: bytes, fault: Fault
    ) -> None:
        if fault is Fault.DOWNLOAD_CHANGED:
            response = with_last_byte_changed(response)
        if fault in {Fault.BODY_STOPS, Fault.BODY_ENDS, Fault.BODY_RESET}:
            response = response[: len(response) // 2]
        writer.write(response)
        await writer.drain()
        if fault is Fault.BODY_STOPS:
            await self._wait_until_dropped(reader)
        if fault is Fault.BODY_RESET:
            reset(writer)

    async def _wait_until_dropped(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        self.dropped.set()

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        """The whole response of the store. Its header announces that the connection is closed."""
        reader, writer = await asyncio.open_connection(HOST, self._target)
        lines = [line for line in head.split(b"\r\n") if line and not line.lower().startswith(b"connection:")]
        writer.write(b"\r\n".join([*lines, b"Connection: close", b"", body]))
        response = await reader.read()
        writer.close()
        return response


def content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def error_response(status: str, code: str) -> bytes:
    """An error as S3 words it."""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>test</Message></Error>'
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\nConnection: close"
    return f"{head}\r\n\r\n{body}".encode()


def changed(body: bytes, fault: Fault) -> bytes:
    return with_last_byte_changed(body) if fault is Fault.UPLOAD_CHANGED else body


def with_last_byte_changed(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the peer gets a connection reset, not an end of the data."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
