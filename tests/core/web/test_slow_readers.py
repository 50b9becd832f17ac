"""What waits until clients read it, and what may be asked for meanwhile."""

import asyncio
import contextlib

import pytest
from starlette.requests import Request
from starlette.responses import Response

from imghost_core.web.pace import Pace
from imghost_core.web.unread import require_readers
from support.bounded_server import serving
from support.eventually import eventually
from support.raw_clients import CLOSING, GET, QUICK, ask, opened

pytestmark = pytest.mark.services
UNREAD = 180_000  # bytes: more than the kernel takes, by less than would pause the application


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    """A response that is not taken ends with its connection, and costs no memory afterwards."""

    async def large(request: Request) -> Response:
        return Response(bytes(8_000_000))

    async with serving(large, QUICK._replace(pace=Pace(1_000_000, 0.2))) as server:
        with opened(server, 5, GET):
            await eventually(lambda: server.ended("slow_reader") == 5, why="all are cut off")
            assert server.open == 0


async def test_what_waits_for_clients_is_bounded() -> None:
    """When clients leave too much unread, the address with the most of it loses its connections; others are served."""

    async def large(request: Request) -> Response:
        return Response(bytes(8_000_000))

    async with serving(large, QUICK._replace(buffered_bytes=20_000_000)) as server:
        with opened(server, 1, GET, "127.0.0.3"), opened(server, 10, GET):
            await eventually(lambda: server.ended("buffers") >= 8, why="the budget is kept")
            assert 1 <= server.open <= 3
            assert len(await ask(server, CLOSING, "127.0.0.2")) > 8_000_000


async def test_who_leaves_much_unread_gets_no_more_until_it_is_read() -> None:
    """From half of the budget on an address is refused what it asks for: no connection of it ends, so none is opened
    again. Other addresses are served, and so is this one when it has read.
    """

    async def large(request: Request) -> Response:
        require_readers(request.scope)
        return Response(bytes(8_000_000))

    async with serving(large, QUICK._replace(buffered_bytes=30_000_000)) as server:
        with opened(server, 10, GET):
            await eventually(lambda: server.active == 0 and server.open == 10, why="all have a response")
            refused = await ask(server, CLOSING)
            assert refused.startswith(b"HTTP/1.1 429 ")
            assert b"unread_responses" in refused
            assert len(await ask(server, CLOSING, "127.0.0.2")) > 8_000_000
            assert server.ended("buffers") == 0
        await eventually(lambda: server.open == 0, why="the clients have closed")
        assert len(await ask(server, CLOSING)) > 8_000_000


@pytest.mark.parametrize(
    ("first", "second"), [(GET * 2 + CLOSING, b""), (GET, GET + CLOSING)], ids=["together", "later"]
)
async def test_the_next_request_begins_when_the_response_before_it_is_taken(first: bytes, second: bytes) -> None:
    """Of pipelined requests one at a time has its response in memory; when it is read, the others are served too."""
    begun: list[int] = []

    async def large(request: Request) -> Response:
        begun.append(1)
        return Response(bytes(2_000_000))

    async with serving(large, QUICK) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=4096)
        with contextlib.closing(writer):
            writer.write(first)
            await eventually(lambda: server.unread > 0, why="the client is waited for")
            writer.write(second)
            await eventually(lambda: server.pipelined == 2, why="both requests have arrived")
            assert len(begun) == 1
            async with asyncio.timeout(20):
                received = await reader.read()
    assert len(begun) == 3
    assert received.count(b"HTTP/1.1 200 ") == 3


async def test_a_request_behind_a_last_response_does_not_keep_the_connection() -> None:
    """When a response ends the connection, the client has to take it in time, although it has sent another request."""

    async def last(request: Request) -> Response:
        return Response(bytes(3_000_000), headers={"Connection": "close"})

    async with serving(last, QUICK._replace(keep_alive_seconds=0.2, pace=Pace(1_000_000, 0.2))) as server:
        with opened(server, 5, GET * 2):
            await eventually(lambda: server.unread > 0, why="the client is waited for")
            await eventually(lambda: server.open == 0, why="all are closed")


async def test_a_small_rest_of_a_last_response_does_not_keep_the_connection() -> None:
    """So it is when what is unread is too little to count as unread."""

    async def last(request: Request) -> Response:
        return Response(bytes(UNREAD), headers={"Connection": "close"})

    async with serving(last, QUICK._replace(keep_alive_seconds=0.2)) as server:
        with opened(server, 1, GET * 2):
            await eventually(lambda: server.unread > 0, why="the client is waited for")
            await eventually(lambda: server.open == 0, why="it is closed")
