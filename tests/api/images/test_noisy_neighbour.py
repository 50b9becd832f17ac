"""Uploads of one account from one address in great number, on real processes: another account does not notice."""

import asyncio
import contextlib
import socket
import statistics
import time
from pathlib import Path

import httpx
import pytest

from support import sample_images
from support.api import FORM_HEAD, Person, TenantDatabase, register
from support.api_processes import api_process
from support.processes import HOST

pytestmark = pytest.mark.services
IMAGE = sample_images.photo(320, 240)
UPLOADS = 12


async def time_uploads(person: Person) -> list[float]:
    """How long uploads took, one after another, all of which must be stored."""
    seconds = []
    for _ in range(UPLOADS):
        began = time.monotonic()
        response = await person.upload(IMAGE)
        seconds.append(time.monotonic() - began)
        assert response.status_code == 201, response.text
    return seconds


async def test_slow_uploads_of_one_account_do_not_delay_another(
    tenant: TenantDatabase, store_root: Path, imaging_url: str, tmp_path: Path
) -> None:
    """200 uploads of one account, a byte from time to time, leave the uploads of another at their usual duration."""
    limits = {"upload_concurrency_per_workspace": 10, "uploads": 128, "uploads_per_address": 32}
    server = api_process(tenant, store_root, tmp_path, imaging_url=imaging_url, **limits)
    await server.start()
    url = f"http://{HOST}:{server.port}"
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        other, noisy = await register(client), await register(client)
        calm = await time_uploads(other)
        head = f"POST /upload HTTP/1.1\r\nHost: a.test\r\nX-API-Key: {noisy.key['X-API-Key']}\r\n"
        form = "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n"
        with contextlib.ExitStack() as held:
            slow = [held.enter_context(connect_elsewhere(server.port)) for _ in range(200)]
            for connection in slow:
                connection.sendall((head + form).encode() + FORM_HEAD)
            dripping = asyncio.create_task(drip(slow))
            under_attack = await time_uploads(other)
            dripping.cancel()
    assert statistics.median(under_attack) < 2 * statistics.median(calm) + 0.1
    assert server.stop(within=40) == 0


def connect_elsewhere(port: int) -> socket.socket:
    """A connection from another address than the one of the other account."""
    return socket.create_connection((HOST, port), source_address=("127.0.0.9", 0))


async def drip(connections: list[socket.socket]) -> None:
    """Send a byte on each connection, again and again."""
    while True:
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.send(b"x")
            await asyncio.sleep(0.001)
