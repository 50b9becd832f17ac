"""What an upload responds with when imaging fails."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from support import sample_images
from support.api import problem, register


@asynccontextmanager
async def imaging_that_responds(status: str, code: str) -> AsyncIterator[str]:
    """A server on this machine with one fixed problem as response; its address."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"title": "Planned", "detail": "As planned.", "code": code})
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\nRetry-After: 7\r\n\r\n"
        writer.write((head + body).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("500 Internal Server Error", "internal_error", (500, "internal_error", None)),
        ("503 Service Unavailable", "overloaded", (503, "overloaded", "7")),
        ("401 Unauthorized", "unauthorized", (503, "imaging_unavailable", "5")),
    ],
)
async def test_only_what_retrying_helps_is_a_503(
    open_api: Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]],
    status: str,
    code: str,
    expected: tuple[int, str, str | None],
) -> None:
    """A failure of imaging on this image is 500 and asks for no retry; overload and outages are 503. None counts."""
    async with imaging_that_responds(status, code) as url, open_api(imaging_url=url) as api:
        person = await register(api)
        response = await person.upload(sample_images.photo(64, 48))
        problem(response, expected[0], expected[1])
        assert response.headers.get("retry-after") == expected[2]
        assert (await person.quota())["uploads"]["used"] == 0
