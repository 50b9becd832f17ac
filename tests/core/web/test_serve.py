import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.eventually import eventually

pytestmark = pytest.mark.services

PROGRAM = """
import asyncio, os, sys, threading
from contextlib import asynccontextmanager
from prometheus_client import CollectorRegistry
from imghost_core.metrics import HttpMetrics
from imghost_core.settings import ServerSettings
from imghost_core import logs
from imghost_core.web.middleware import RequestEnvelope
from imghost_core.web.addresses import client_address
from imghost_core.web.serve import run
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

logs.configure("test", level="info", console=False)
release, closed = asyncio.Event(), []

async def slow(request):
    print("slow request begun", flush=True)
    await release.wait()
    assert not closed
    return PlainTextResponse("finished")

def let_go(loop):
    sys.stdin.readline()
    loop.call_soon_threadsafe(release.set)

@asynccontextmanager
async def lifespan(app):
    if os.environ.get("FAIL"):
        raise RuntimeError("the schema is outdated")
    threading.Thread(target=let_go, args=[asyncio.get_running_loop()], daemon=True).start()
    yield
    closed.append(True)
    print("closed", flush=True)

async def address(request):
    return PlainTextResponse(client_address(request.scope))

routes = [Route("/slow", slow), Route("/address", address)]
metrics = HttpMetrics(CollectorRegistry())
public, ops = Starlette(routes=routes, lifespan=lifespan), Starlette(routes=routes)
run(RequestEnvelope(public, metrics), RequestEnvelope(ops, metrics), ServerSettings())
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PORT": str(free_port()), "OPS_PORT": str(free_port())}


@pytest.fixture
def process(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        yield started
        started.kill()


@pytest.mark.parametrize("listener", ["PORT", "OPS_PORT"])
async def test_an_open_request_is_finished_after_sigterm(
    process: subprocess.Popen[str], environment: dict[str, str], listener: str
) -> None:
    """SIGTERM lets a request under way on either listener end, then closes what it used, and exits 0."""
    assert process.stdout
    assert process.stdin
    address = f"http://127.0.0.1:{environment[listener]}"
    with httpx.Client(timeout=20) as client:
        await eventually(
            lambda: client.get(f"{address}/nothing").status_code == 404,
            within=15,
            why="the listener answers",
            ignoring=(httpx.ConnectError,),
        )
    with subprocess.Popen(["curl", "-sS", "-m", "20", f"{address}/slow"], stdout=subprocess.PIPE, text=True) as curl:
        assert process.stdout.readline() == "slow request begun\n"
        process.send_signal(signal.SIGTERM)
        process.stdin.write("\n")
        process.stdin.flush()
        assert curl.communicate()[0] == "finished"
    assert process.stdout.readline() == "closed\n"
    assert process.wait(10) == 0


def test_a_failed_start_exits_non_zero(environment: dict[str, str], tmp_path: Path) -> None:
    """A process whose lifespan refuses to start ends, so that its supervisor sees it."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, program],
        env=environment | {"FAIL": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3
    assert "the schema is outdated" in done.stderr


FORWARDED = [
    ("", [], "127.0.0.1"),
    ("", ["198.51.100.1"], "127.0.0.1"),
    ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
    ("127.0.0.0/8, 10.0.0.0/8", ["192.0.2.66, 198.51.100.1, 10.0.0.7"], "198.51.100.1"),
    ("127.0.0.1", ["192.0.2.66", "198.51.100.1"], "198.51.100.1"),
    ("127.0.0.1", ["192.0.2.66, 2001:db8::1"], "2001:db8::/64"),
    ("127.0.0.1", ["192.0.2.66, forged"], "unknown"),
    ("10.0.0.0/8", ["198.51.100.1"], "127.0.0.1"),
]


@pytest.mark.parametrize(("trusted", "forwarded", "counted"), FORWARDED)
async def test_an_address_is_forwarded_by_trusted_proxies_only(
    environment: dict[str, str], tmp_path: Path, trusted: str, forwarded: list[str], counted: str
) -> None:
    """X-Forwarded-For is read from the right, up to the first address that is no trusted proxy's; else not at all."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    settings = environment | {"TRUSTED_PROXIES": trusted}
    with subprocess.Popen([sys.executable, program], env=settings, stdin=subprocess.PIPE) as started:
        url = f"http://127.0.0.1:{environment['PORT']}/address"
        headers = [("X-Forwarded-For", value) for value in forwarded]
        try:
            with httpx.Client(timeout=20) as client:
                await eventually(
                    lambda: client.get(url, headers=headers).text,
                    within=15,
                    why="the listener answers",
                    ignoring=(httpx.ConnectError,),
                )
                assert client.get(url, headers=headers).text == counted
        finally:
            started.kill()
