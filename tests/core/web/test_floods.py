"""A process with both listeners under floods: it answers probes and others, and its memory stays bounded."""

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from support.eventually import eventually
from support.processes import free_port

pytestmark = pytest.mark.services
MIB = 1024 * 1024
PROGRAM = """
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from imghost_core import logs, metrics
from imghost_core.settings import ServerSettings
from imghost_core.web.middleware import RequestEnvelope
from imghost_core.web.serve import run

logs.configure("test", level="info", console=False)
registry = CollectorRegistry()

async def read(request):
    return PlainTextResponse(str(len(await request.body())))

async def large(request):
    return Response(bytes(500_000))

async def scrape(request):
    return Response(metrics.render(registry)[0])

routes = [Route("/", read, methods=["GET", "POST"]), Route("/large", large), Route("/metrics", scrape)]
measured = metrics.HttpMetrics(registry)
quiet = frozenset({"/", "/large"})
apps = (RequestEnvelope(Starlette(routes=routes), measured, quiet=quiet) for _ in range(2))
run(*apps, ServerSettings())
"""
GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Flooded:
    """The process, and how to reach it."""

    process: psutil.Process
    port: int
    ops_port: int
    log: Path

    def get(self, port: int, path: str = "/") -> httpx.Response:
        with httpx.Client(timeout=10, transport=httpx.HTTPTransport(local_address="127.0.0.9")) as client:
            return client.get(f"http://127.0.0.1:{port}{path}").raise_for_status()

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), 5)
        client.settimeout(0.5)
        return client


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Flooded]]:
    """Start the process with these settings and this soft limit of file descriptors."""
    with contextlib.ExitStack() as stack:

        def started(soft: int = 0, **settings: object) -> Flooded:
            ports = {"PORT": free_port(), "OPS_PORT": free_port()}
            values = ports | {name.upper(): value for name, value in settings.items()}
            log = tmp_path / "log"
            program = [sys.executable, "-c", PROGRAM]
            if soft:
                program = ["prlimit", f"--nofile={soft}:{resource.getrlimit(resource.RLIMIT_NOFILE)[1]}", *program]
            environment = {"PATH": os.environ["PATH"]} | {name: str(value) for name, value in values.items()}
            opened = stack.enter_context(log.open("w"))
            running = stack.enter_context(subprocess.Popen(program, env=environment, stderr=opened))
            stack.callback(running.kill)
            return Flooded(psutil.Process(running.pid), ports["PORT"], ports["OPS_PORT"], log)

        yield started


async def until_ready(server: Flooded) -> Flooded:
    await eventually(
        lambda: bool(server.get(server.ops_port)), within=20, why="it listens", ignoring=(httpx.TransportError,)
    )
    return server


async def test_probes_and_others_are_answered_during_a_flood(start: Callable[..., Flooded]) -> None:
    """1,000 idle connections, far more than are allowed: probes, metrics and another client get their responses."""
    server = await until_ready(start(soft=64, connections=200, connections_per_address=1000))
    with contextlib.ExitStack() as held:
        for _ in range(1000):
            held.enter_context(server.connect())
        assert server.get(server.port).text == "0"
        metrics = server.get(server.ops_port, "/metrics").text
        assert 'imghost_connections_ended_total{cause="gave_way",listener="public"} 80' in metrics
        assert server.process.num_fds() < 350


async def test_the_limit_of_file_descriptors_is_raised_and_logged(start: Callable[..., Flooded]) -> None:
    """The soft limit becomes the hard one, at most 65,536, and the log says what follows from it."""
    server = await until_ready(start(soft=64))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    expected = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
    assert server.process.rlimit(psutil.RLIMIT_NOFILE)[0] == expected
    listening = json.loads(server.log.read_text().splitlines()[0])
    assert listening["file_descriptors"] == expected
    assert 0 < listening["connections"] + listening["ops_connections"] < expected


FLOODS = {
    "headers": (GET, b"".join(b"%x: a\r\n" % number for number in range(16_000))),
    "one header": (GET + b"X: ", b"a" * 100_000),
    "pipelined requests": (b"", (GET + b"\r\n") * 4_000),
    "pipelined large responses": (b"", b"GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n" * 1_000),
    "chunks of one byte": (POST, b"1\r\nx\r\n" * 10_000),
    "chunk extensions": (POST, b"1;a=" + b"b" * 60_000 + b"\r\nx\r\n"),
    "trailers": (POST + b"1\r\nx\r\n0\r\n", b"x: a\r\n" * 10_000),
}


@pytest.mark.parametrize(("first", "block"), FLOODS.values(), ids=FLOODS)
async def test_floods_cost_little_memory(start: Callable[..., Flooded], first: bytes, block: bytes) -> None:
    """Eight connections that send without an end are cut off, cost at most 20 MiB together, and nothing afterwards."""
    server = await until_ready(start())
    before = server.process.memory_info().rss
    with contextlib.ExitStack() as held:
        for _ in range(8):
            client = held.enter_context(server.connect())
            sent = 0
            with contextlib.suppress(OSError):
                client.sendall(first)
                while sent < 24 * MIB:
                    client.sendall(block)
                    sent += len(block)
            assert sent < 24 * MIB
        assert server.process.memory_info().rss - before < 20 * MIB
        assert server.get(server.port).text == "0"
