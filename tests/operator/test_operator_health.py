"""Probes and metrics of the operator."""

import aiohttp
import httpx
import pytest
from starlette.applications import Starlette

from imghost_core.errors import Unavailable
from imghost_core.web import health as core_health
from imghost_operator import health
from imghost_operator.metrics import Metrics
from support.processes import HOST, free_port

pytestmark = pytest.mark.services


@pytest.mark.parametrize(("problem", "status"), [(None, 200), ("no news of Service for 140 s", 503)])
async def test_livez_fails_when_watch_events_stop(problem: str | None, status: int) -> None:
    """`/livez` fails with the problem that a check returns; `/readyz` has checks of its own."""
    port = free_port()
    server = await health.serve(HOST, port, Metrics(), {"watches": lambda: problem}, {"caches": lambda: None})
    try:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{HOST}:{port}/livez") as response:
                assert response.status == status
                assert (await response.json())["checks"] == {"watches": problem or "ok"}
            async with session.get(f"http://{HOST}:{port}/readyz") as response:
                assert response.status == 200
    finally:
        await server.cleanup()


async def test_probes_of_the_operator_and_of_the_services_have_one_form() -> None:
    """For the same results, status, body and headers of `/readyz` are those of api and imaging."""

    async def pass_check() -> None:
        return

    async def fail_check() -> None:
        raise Unavailable("not synced")

    services = Starlette(routes=core_health.routes("api", {"leader": pass_check, "caches": fail_check}))
    port = free_port()
    checks = {"leader": lambda: None, "caches": lambda: "not synced"}
    server = await health.serve(HOST, port, Metrics(), {}, checks)
    transport = httpx.ASGITransport(services)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api, httpx.AsyncClient() as client:
            expected, response = await api.get("/readyz"), await client.get(f"http://{HOST}:{port}/readyz")
    finally:
        await server.cleanup()
    assert expected.json() == {"status": "unavailable", "checks": {"leader": "ok", "caches": "not synced"}}
    assert (response.status_code, response.json()) == (expected.status_code, expected.json())
    for name in ("Cache-Control", "Retry-After"):
        assert response.headers[name] == expected.headers[name]


async def test_every_metric_is_exposed_under_our_prefix() -> None:
    """All figures of the operator are scraped from one place, and names keep to one prefix."""
    port, metrics = free_port(), Metrics()
    metrics.api_requests.labels("apply", "Service", "200").inc()
    server = await health.serve(HOST, port, metrics, {}, {})
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://{HOST}:{port}/metrics") as response:
            text = await response.text()
    finally:
        await server.cleanup()
    assert 'imghost_operator_api_requests_total{code="200",kind="Service",verb="apply"} 1.0' in text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert all(name.startswith(("imghost_operator_", "process_", "python_")) for name in names)
