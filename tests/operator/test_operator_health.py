"""Probes and metrics of the operator."""

import aiohttp
import pytest

from imghost_operator import health
from imghost_operator.metrics import Metrics
from support.processes import HOST, free_port

pytestmark = pytest.mark.services


@pytest.mark.parametrize(("problem", "status"), [(None, 200), ("no news of Service for 140 s", 503)])
async def test_livez_fails_when_watch_events_stop(problem: str | None, status: int) -> None:
    """`/livez` fails when a check finds the process deaf, and says so; `/readyz` has its own checks."""
    port = free_port()
    server = await health.serve(HOST, port, Metrics(), {"watches": lambda: problem}, {"caches": lambda: None})
    try:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{HOST}:{port}/livez") as response:
                assert response.status == status
                assert (await response.json())["checks"] == ({"watches": problem} if problem else {})
            async with session.get(f"http://{HOST}:{port}/readyz") as response:
                assert response.status == 200
    finally:
        await server.cleanup()


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
