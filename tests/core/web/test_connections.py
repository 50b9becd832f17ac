"""How many connections a listener has, which of them gives way, and how long each may do nothing."""

import asyncio
import contextlib

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from imghost_core.web.limits import Limits
from imghost_core.web.pace import Pace
from support.bounded_server import serving
from support.eventually import eventually
from support.raw_clients import CLOSING, GET, QUICK, ask, opened

pytestmark = pytest.mark.services
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\n"


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def read_all(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def test_connections_without_a_request_give_way() -> None:
    """When all connections are taken, a new one takes the place of one that waits; the address with most gives it."""
    async with serving(hello, QUICK._replace(in_all=10)) as server:
        kept = asyncio.create_task(ask(server, b"", "127.0.0.3"))
        await eventually(lambda: server.open == 1, why="the first one is admitted")
        with opened(server, 30):
            await eventually(lambda: server.ended("gave_way") == 21, why="the others share what is left")
            assert (await ask(server, CLOSING, "127.0.0.2")).endswith(b"hello")
            assert not kept.done()
            assert server.open <= 10
        kept.cancel()
        await asyncio.wait([kept])


async def test_requests_in_progress_do_not_give_way() -> None:
    """When every connection has a request in progress, one more is a 503 with Retry-After."""
    gate = asyncio.Event()

    async def wait(request: Request) -> Response:
        await gate.wait()
        return PlainTextResponse("done")

    async with serving(wait, QUICK._replace(in_all=3)) as server:
        asked = [asyncio.create_task(ask(server, CLOSING)) for _ in range(3)]
        await eventually(lambda: server.active == 3, why="three requests are in progress")
        refused = await ask(server, GET)
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 5\r\n" in refused
        assert b"too_many_connections" in refused
        gate.set()
        assert all([(await each).endswith(b"done") for each in asked])
        assert server.ended("full") == 1


@pytest.mark.parametrize(("proxies", "status"), [((), b"503"), (("127.0.0.0/8",), b"200")])
async def test_one_address_has_a_share(proxies: tuple[str, ...], status: bytes) -> None:
    """An address whose share has requests in progress is refused, others are not; a trusted proxy has no share."""
    gate = asyncio.Event()

    async def wait(request: Request) -> Response:
        if request.method == "POST":
            await gate.wait()
        return PlainTextResponse("done")

    async with serving(wait, QUICK._replace(per_address=5), proxies) as server:
        with opened(server, 5, POST):
            await eventually(lambda: server.active == 5, why="all are in progress")
            assert (await ask(server, CLOSING))[9:12] == status
            assert (await ask(server, CLOSING, "127.0.0.2"))[9:12] == b"200"
            gate.set()
            await eventually(lambda: server.active == 0, why="all are done")
            assert (await ask(server, CLOSING))[9:12] == b"200"


@pytest.mark.parametrize(
    ("host", "peer", "proxy", "status"),
    [
        ("::1", "::1", "::1/128", b"200"),  # narrower than what limits count as one client
        ("::1", "::1", "::/128", b"503"),  # another one in the same network of 64 bits
        ("::", "127.0.0.1", "127.0.0.1/32", b"200"),  # IPv4 inside IPv6
    ],
)
async def test_a_proxy_is_known_by_its_whole_address(host: str, peer: str, proxy: str, status: bytes) -> None:
    """A trusted proxy has no share however narrow its network is, and its neighbours still have one."""
    gate = asyncio.Event()

    async def wait(request: Request) -> Response:
        if request.method == "POST":
            await gate.wait()
        return PlainTextResponse("done")

    async with serving(wait, QUICK._replace(per_address=1), (proxy,), host) as server:
        _, busy = await asyncio.open_connection(peer, server.port)
        with contextlib.closing(busy):
            busy.write(POST)
            await server.until_busy()
            reader, writer = await asyncio.open_connection(peer, server.port)
            with contextlib.closing(writer):
                writer.write(CLOSING)
                assert (await reader.read())[9:12] == status
            gate.set()


async def test_an_idle_connection_is_closed() -> None:
    """A connection stays open between requests, for as long as the setting says."""
    async with serving(hello, QUICK._replace(keep_alive_seconds=0.1)) as server:
        received = await ask(server, GET + GET)
        assert received.count(b"hello") == 2
        assert server.ended("idle") == 1


async def test_a_body_after_its_response_is_closed() -> None:
    """A client that was answered before its body ended does not hold the connection by sending it slowly."""
    async with serving(hello, QUICK._replace(linger_seconds=0.1)) as server:
        assert (await ask(server, POST + b"x")).endswith(b"hello")
        assert server.ended("slow_body") == 1


@pytest.mark.parametrize("began", [b"", b"x" * 100], ids=["nothing", "a tenth"])
async def test_a_slow_body_is_a_408(began: bytes) -> None:
    """A body that does not keep the pace is a problem document, and the connection ends."""
    async with serving(read_all, QUICK._replace(pace=Pace(1000, 0.1))) as server:
        received = await ask(server, POST + began)
        assert received.startswith(b"HTTP/1.1 408 ")
        assert b"body_too_slow" in received


async def test_a_refusal_before_the_body_ends_an_expecting_connection() -> None:
    """With `Expect: 100-continue` a response without 100 closes: the client will not send the body it announced."""
    expecting = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    async with serving(hello) as server:
        refused = await ask(server, expecting)
        assert b"100 Continue" not in refused
        assert b"connection: close" in refused.lower()
    async with serving(read_all) as server:
        served = await ask(server, expecting.replace(b"Host", b"Connection: close\r\nHost") + b"x" * 1000)
        assert served.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("sweep_seconds", "in_all", "is_whole"),
    [(60.0, 20_000_000, False), (0.01, 20_000_000, True), (60.0, 64 << 20, True)],
)
async def test_bodies_that_are_only_discarded_are_read_slowly(
    sweep_seconds: float, in_all: int, is_whole: bool
) -> None:
    """After its response a body is read fast until all of them were too much; then some megabytes at a time, and the
    next ones when the timer has run.
    """
    size = 40_000_000
    sent = 0
    async with serving(hello, Limits(sweep_seconds=sweep_seconds, discarded_bytes=in_all)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(POST.replace(b"1000", b"%d" % size))
        await reader.readuntil(b"hello")
        with contextlib.closing(writer), contextlib.suppress(TimeoutError):
            while sent < size:
                writer.write(bytes(1_000_000))
                async with asyncio.timeout(10 if is_whole else 0.5):
                    await writer.drain()
                sent += 1_000_000
        assert (sent == size) is is_whole


async def test_a_connection_outlives_the_bodies_it_was_refused() -> None:
    """A body whose end is read slowly delays the next request on its connection, but does not keep it unread."""
    size = 4 * 1024 * 1024 + 1
    async with serving(hello, Limits(sweep_seconds=0.5, discarded_bytes=1)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await eventually(lambda: bool(server.connections), why="the connection is accepted")
        (connection,) = server.connections
        with contextlib.closing(writer):
            for _ in range(4):
                writer.write(POST.replace(b"1000", b"%d" % size))
                async with asyncio.timeout(5):
                    await reader.readuntil(b"hello")
                writer.write(bytes(size))
                await eventually(lambda: not connection.in_body, why="the body has ended, and no request follows yet")
