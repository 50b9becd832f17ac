"""One connection to a real server: what a client sends without completing anything is bounded."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from imghost_core.metrics import HttpMetrics, new_registry
from imghost_core.web import protocol
from imghost_core.web.middleware import RequestEnvelope
from imghost_core.web.problems import add_handlers
from support.eventually import eventually

pytestmark = pytest.mark.services
GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"


async def count(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a server with our protocol and our envelope."""
    app = Starlette(routes=[Route("/", count, methods=["GET", "POST"])])
    add_handlers(app)
    front = RequestEnvelope(app, HttpMetrics(new_registry()))
    server = uvicorn.Server(uvicorn.Config(front, port=0, http=protocol.BoundedHttp, ws="none", log_config=None))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started, why="the server listens")
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


async def talk(port: int, *pieces: bytes) -> bytes:
    """Everything that the server sends until it closes, or until the first response is complete."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        async with asyncio.timeout(10):
            while data := await reader.read(65536):
                received += data
    except ConnectionError:
        pass
    finally:
        writer.close()
    return received


def status(received: bytes) -> bytes:
    return received.partition(b" ")[2][:3]


CLOSE = b"Connection: close\r\n\r\n"


async def test_ordinary_requests_are_served(port: int) -> None:
    """Also with a body in many chunks that is far larger than any limit of a head."""
    assert status(await talk(port, GET + CLOSE)) == b"200"
    body = b"".join(b"1\r\nx\r\n" for _ in range(50_000)) + b"0\r\n\r\n"
    answer = await talk(port, POST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), body)
    assert answer.endswith(b"50000")


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"a" * 1_000_000 + b"\r\n",
        b"".join(b"X-%d: a\r\n" % n for n in range(100_000)),
        b"".join(b"X-%d: a\r\n" % n for n in range(101)),
        b"X: " + b"a" * 140_000 + b"\r\n",
    ],
    ids=["one long", "100,000", "101", "140 kB"],
)
async def test_too_many_headers_are_a_431(port: int, head: bytes) -> None:
    """Too long a head, or too many headers, are a 431 which the client gets to read."""
    assert status(await talk(port, GET + head + CLOSE)) == b"431"


async def test_a_head_without_an_end_is_cut_off(port: int) -> None:
    """The server stops reading soon after the limit."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 100_000_000:
            writer.write(b"X: " + b"a" * 65_000 + b"\r\n")
            await writer.drain()
            sent += 65_000
    writer.close()
    assert sent < 20_000_000


async def test_trailers_are_bounded(port: int) -> None:
    """What follows the last chunk is no way around the limit."""
    assert b"431" in await talk(port, POST + b"1\r\nx\r\n0\r\n" + b"X: " + b"a" * 1_000_000)


@pytest.mark.parametrize("began", [b"", GET + b"X: "], ids=["silent", "half a head"])
async def test_a_head_must_arrive_in_time(port: int, began: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is silent, or stops in the middle of a head, loses its connection."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    assert await talk(port, began) == b""


HOSTS = [
    (b"GET / HTTP/1.1\r\nHost: a.test:80\r\n", b"200"),
    (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n", b"200"),
    (b"GET / HTTP/1.0\r\n", b"200"),
    (b"GET / HTTP/1.1\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: a.test, b.test\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: a/b@c\r\n", b"400"),
    (b"GET /missing HTTP/1.1\r\nHost: [\r\n", b"404"),
]


@pytest.mark.parametrize(("head", "expected"), HOSTS)
async def test_a_request_names_one_host(port: int, head: bytes, expected: bytes) -> None:
    """HTTP/1.1 has exactly one Host header that is a host; odd ones break nothing."""
    answer = await talk(port, head + CLOSE)
    assert status(answer) == expected
    if expected == b"400":
        assert b"invalid_host" in answer
