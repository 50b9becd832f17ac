import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import Message
from structlog.testing import capture_logs

from imghost_core.errors import Forbidden
from imghost_core.metrics import HttpMetrics, new_registry, render
from imghost_core.timestamps import PATTERN
from imghost_core.web import health
from imghost_core.web.middleware import RequestEnvelope
from imghost_core.web.problems import add_handlers


async def greet(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"hello {request.path_params['name']}")


async def refuse(_request: Request) -> PlainTextResponse:
    raise Forbidden("This album is not yours. Ask its owner for an invitation.", code="not_a_member")


async def break_down(_request: Request) -> PlainTextResponse:
    raise RuntimeError("canary: /etc/passwd and a stack trace")


async def read(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def stream(_request: Request) -> StreamingResponse:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0)

    return StreamingResponse(endless())


async def broken_check() -> None:
    raise RuntimeError("canary: postgresql://api:password@db")


async def good_check() -> None:
    return


@pytest.fixture
def registry() -> CollectorRegistry:
    return new_registry()


@pytest.fixture
async def client(registry: CollectorRegistry) -> AsyncIterator[httpx.AsyncClient]:
    routes = [
        Route("/hello/{name}", greet),
        Route("/refuse", refuse, methods=["POST"]),
        Route("/break", break_down),
        Route("/body", read, methods=["POST"]),
        Route("/stream", stream),
        *health.routes("api", {"database": good_check}),
    ]
    app = Starlette(routes=routes)
    add_handlers(app)
    envelope = RequestEnvelope(app, HttpMetrics(registry), quiet=health.QUIET)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(envelope), base_url="http://test") as opened:
        yield opened


async def test_every_response_carries_a_request_id_and_safe_headers(client: httpx.AsyncClient) -> None:
    """The caller's request id is kept when it is harmless, else replaced; sniffing and framing are off."""
    kept = await client.get("/hello/ada", headers={"X-Request-Id": "trace-me-0001"})
    replaced = await client.get("/hello/ada", headers={"X-Request-Id": "two words\x7f"})
    assert kept.headers["X-Request-Id"] == "trace-me-0001"
    assert replaced.headers["X-Request-Id"] != "two words\x7f"
    assert kept.headers["X-Content-Type-Options"] == "nosniff"
    assert kept.headers["X-Frame-Options"] == "SAMEORIGIN"


async def test_http_errors_are_problem_documents(client: httpx.AsyncClient) -> None:
    """A refusal says what, why and what to do, and is never cached."""
    response = await client.post("/refuse", headers={"X-Request-Id": "trace-me-0002"})
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json()["code"] == "not_a_member"
    assert response.json()["request_id"] == "trace-me-0002"


@pytest.mark.requirement("001-14", "001-33")
@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/refuse", 405)])
async def test_framework_errors_are_problem_documents(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """An unknown path and a wrong method answer in the same shape."""
    response = await client.request(method, path)
    assert response.status_code == status == response.json()["status"]
    assert response.json()["success"] is False


async def test_an_unexpected_error_is_a_500_without_its_text(client: httpx.AsyncClient) -> None:
    """A bug answers 500 with a request id and without its text."""
    response = await client.get("/break")
    assert response.status_code == 500
    assert "canary" not in response.text
    assert response.json()["request_id"] == response.headers["X-Request-Id"]


async def test_requests_are_counted_by_route_not_by_path(
    client: httpx.AsyncClient, registry: CollectorRegistry
) -> None:
    """Metrics have one series a route, whatever people ask for."""
    for name in ("ada", "bob", "eve"):
        await client.get(f"/hello/{name}")
    await client.get("/made-up-path")
    text = render(registry)[0].decode()
    assert 'http_server_request_duration_seconds_count{method="GET",route="/hello/{name}",status="200"} 3.0' in text
    assert 'route="unmatched",status="404"' in text
    assert "made-up-path" not in text


async def test_a_client_that_hangs_up_is_no_error(client: httpx.AsyncClient, registry: CollectorRegistry) -> None:
    """A request whose client hangs up, before or while the response is sent, is logged as 499 without a traceback."""
    envelope: RequestEnvelope = client._transport.app  # type: ignore[attr-defined]  # noqa: SLF001

    async def hang_up() -> Message:
        return {"type": "http.disconnect"}

    async def discard(_message: Message) -> None:
        """Send nothing, as a server does after the connection was lost."""

    with capture_logs() as logged:
        for method, path in (("POST", "/body"), ("GET", "/stream")):
            scope = {
                "type": "http",
                "method": method,
                "path": path,
                "headers": [(b"host", b"test")],
                "query_string": b"",
            }
            await envelope(scope, hang_up, discard)
    assert [(line["event"], line["log_level"], line["status"]) for line in logged] == [("request", "info", 499)] * 2
    assert 'route="/body",status="499"} 1.0' in render(registry)[0].decode()


@pytest.mark.requirement("000-R22", "000-W8")
async def test_health_names_the_service_and_the_time(client: httpx.AsyncClient) -> None:
    """GET /health answers {status, service, time} with the time in UTC and Z."""
    response = (await client.get("/health")).json()
    assert set(response) == {"status", "service", "time"}
    assert (response["status"], response["service"]) == ("ok", "api")
    assert re.fullmatch(PATTERN, response["time"])


async def test_readiness_names_what_is_missing_without_secrets() -> None:
    """A failing check makes readiness 503 and liveness stays: a database blip must not restart pods."""
    app = Starlette(routes=health.routes("api", {"database": broken_check, "store": good_check}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        ready, live = await client.get("/readyz"), await client.get("/livez")
    assert (ready.status_code, live.status_code) == (503, 200)
    assert ready.json()["checks"] == {"database": "RuntimeError", "store": "ok"}
    assert ready.headers["Retry-After"]
