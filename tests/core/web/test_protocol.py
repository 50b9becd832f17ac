"""One connection to a real server: what a client sends without completing anything is bounded."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from imghost_core.web.limits import Limits
from support.bounded_server import serving

pytestmark = pytest.mark.services
GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"


async def count(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a server with our protocol, our envelope, and the limits of production."""
    async with serving(count) as server:
        yield server.port


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
    body = b"".join(b"8\r\nxxxxxxxx\r\n" for _ in range(50_000)) + b"0\r\n\r\n"
    answer = await talk(port, POST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), body)
    assert answer.endswith(b"400000")


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"a" * 1_000_000 + b"\r\n",
        b"".join(b"X-%d: a\r\n" % n for n in range(100_000)),
        b"".join(b"X-%d: a\r\n" % n for n in range(101)),
        b"X: " + b"a" * 65_537 + b"\r\n",
    ],
    ids=["one long", "100,000", "101", "64 KiB and a byte"],
)
async def test_too_many_headers_are_a_431(port: int, head: bytes) -> None:
    """Too long a head, or too many headers, are a 431 whose problem document the client gets to read."""
    received = await talk(port, GET + head + CLOSE)
    assert status(received) == b"431"
    assert json.loads(received.partition(b"\r\n\r\n")[2])["code"] == "headers_too_large"


async def test_a_head_of_64_kib_is_served(port: int) -> None:
    """The limit itself is allowed."""
    names = len(b"Host") + len(b"a.test") + len(b"X") + len(b"Connection") + len(b"close")
    assert status(await talk(port, GET + b"X: " + b"a" * (65_536 - names) + b"\r\n" + CLOSE)) == b"200"


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


FRAMING = {
    "trailers": b"1\r\nx\r\n0\r\n" + b"X: " + b"a" * 1_000_000,
    "one extension": b"1;a=" + b"b" * 1_000_000,
    "an extension for each chunk": (b"1;a=" + b"b" * 60_000 + b"\r\nx\r\n") * 6,
    "chunks of one byte": b"1\r\nx\r\n" * 50_000,
}


@pytest.mark.parametrize("body", FRAMING.values(), ids=FRAMING)
async def test_a_body_is_mostly_data(port: int, body: bytes) -> None:
    """Trailers, extensions and tiny chunks are no way around the limits."""
    received = await talk(port, POST + body)
    assert (status(received), received.count(b"HTTP/1.1")) == (b"400", 1)
    assert b"too_much_framing" in received


async def test_trailers_are_not_headers() -> None:
    """What follows the body is neither seen by an application nor kept."""

    async def list_headers(request: Request) -> PlainTextResponse:
        await request.body()
        return PlainTextResponse(" ".join(request.headers))

    async with serving(list_headers) as server:
        close = POST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        assert b"x-late" not in await talk(server.port, close + b"1\r\nx\r\n0\r\nX-Late: 1\r\n\r\n")


async def test_pipelined_requests_are_bounded(port: int) -> None:
    """The first ones get their responses, in order; then the connection ends, whatever follows."""
    received = await talk(port, (GET + b"\r\n") * 5_000)
    assert 1 <= received.count(b"HTTP/1.1 200") <= 18
    assert b"connection: close" in received


async def test_rubbish_after_a_request_does_not_cut_into_its_response() -> None:
    """A request that was complete gets its whole response, then the connection ends."""
    gate = asyncio.Event()

    async def late(request: Request) -> PlainTextResponse:
        await gate.wait()
        return PlainTextResponse("late")

    async with serving(late) as server:
        talking = asyncio.create_task(talk(server.port, GET + b"\r\n\0\0\r\n"))
        await server.until_busy()
        gate.set()
        received = await talking
    assert received.count(b"HTTP/1.1") == 1
    assert received.endswith(b"late")


@pytest.mark.parametrize("began", [b"", GET + b"X: "], ids=["silent", "half a head"])
async def test_a_head_must_arrive_in_time(began: bytes) -> None:
    """A client that is silent, or stops in the middle of a head, loses its connection."""
    async with serving(count, Limits(head_seconds=0.05, sweep_seconds=0.01)) as server:
        assert await talk(server.port, began) == b""
        assert server.ended("slow_head") == 1


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
