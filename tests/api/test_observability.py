"""What operators see: logs without secrets, one request id through api and imaging, metrics that add up."""

import json
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import sample_images
from support.api import PASSWORD, PEPPER, PRIVATE_KEY, TOKEN, TenantDatabase, api_environment, names, register
from support.api_processes import worker_process
from support.collector import Collector, Span, collecting
from support.eventually import eventually
from support.imaging_server import serve_imaging
from support.processes import HOST, Process, accepts, free_port

IMAGE = sample_images.photo(64, 48)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Where both processes send their traces."""
    with collecting() as opened:
        yield opened


@pytest.fixture
async def server(tenant: TenantDatabase, store_root: Path, tmp_path: Path, collector: Collector) -> Any:
    """A real api and a real imaging process, with everything logged and traced."""
    port, ops = free_port(), free_port()
    settings = {"LOG_LEVEL": "debug", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
    with serve_imaging(tenant, tmp_path, STORE_ROOT=str(store_root), **settings) as imaging:
        environment = api_environment(
            tenant,
            store_root,
            host=HOST,
            port=port,
            ops_port=ops,
            imaging_url=imaging,
        )
        environment |= settings
        argv = [sys.executable, "-m", "imghost_api", "server"]
        process = Process(argv, tmp_path / "api.log", env=environment)
        worker = worker_process(tenant, store_root, tmp_path, **settings)
        try:
            await eventually(lambda: accepts(port), within=40, why="the api accepts connections")
            await worker.start()
            async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}") as client:
                client.ops_url = f"http://{HOST}:{ops}"  # type: ignore[attr-defined]
                yield client
        finally:
            process.stop()
            worker.stop()


async def test_logs_hold_no_secret_and_one_request_id(
    server: httpx.AsyncClient, tmp_path: Path, tenant: TenantDatabase
) -> None:
    """After every kind of call, good and bad, the logs of all processes hold none of the secrets; every line is one
    JSON object; an upload can be followed by its id through api and imaging, and a deletion through api and worker.
    """
    person = await register(server)
    request_id = f"follow-{secrets.token_hex(6)}"
    uploaded = await person.upload(IMAGE, **{"X-Request-Id": request_id})
    assert uploaded.status_code == 201, uploaded.text
    assert uploaded.headers["x-request-id"] == request_id
    await server.post("/api/v1/auth/register", json=person.names)
    await server.post("/api/v1/auth/register", json={**names(), "password": "canary-short"[:5]})
    await server.post("/api/v1/auth/login", json={"identifier": person.names["email"], "password": PASSWORD})
    await server.post("/api/v1/auth/login", json={"identifier": PASSWORD, "password": PASSWORD})
    await server.get("/images", headers={"X-API-Key": person.key["X-API-Key"][:-1] + "x"})
    await server.get("/images%0D%0Aforged", headers=person.token)
    await server.get("/api/v1/account", headers={"Authorization": person.token["Authorization"] + "x"})
    deletion = {"X-Request-Id": f"follow-{secrets.token_hex(6)}"}
    await server.delete(f"/images/{uploaded.json()['image']['id']}", headers={**person.key, **deletion})
    worker_log = await eventually(
        lambda: follow_log(tmp_path / "worker.log", deletion["X-Request-Id"]),
        within=30,
        why="the worker names the deletion",
    )
    api_log, imaging_log = ((tmp_path / f"{name}.log").read_text() for name in ("api", "imaging"))
    for line in (api_log + imaging_log + worker_log).splitlines():
        assert isinstance(json.loads(line), dict), line
    hidden = [PASSWORD, PEPPER, TOKEN, PRIVATE_KEY[30:80], person.registration["token"], person.key["X-API-Key"][3:-4]]
    for secret in [*hidden, *tenant.passwords.values(), "$argon2id$", "canary"]:
        assert secret not in api_log + imaging_log + worker_log, secret[:12]
    for log in (api_log, imaging_log):
        assert any(json.loads(line).get("request_id") == request_id for line in log.splitlines())


def follow_log(log: Path, request_id: str) -> str:
    """The log, once a job that this request caused is done."""
    text = log.read_text()
    done = [line for line in text.splitlines() if '"job done"' in line and request_id in line]
    return text if done else ""


async def test_one_upload_is_one_trace(server: httpx.AsyncClient, collector: Collector) -> None:
    """The ingest span of imaging is a child of that of the upload in api, which is a child of the caller's."""
    caller, parent = secrets.token_hex(16), secrets.token_hex(8)
    person = await register(server)
    uploaded = await person.upload(IMAGE, traceparent=f"00-{caller}-{parent}-01")
    assert uploaded.status_code == 201

    def spans(service: str) -> dict[str, Span]:
        return {span.id: span for span in collector.spans if (span.service, span.trace) == (service, caller)}

    rendered = await eventually(lambda: [*spans("imghost-imaging").values()], within=20, why="imaging sent its span")
    api = await eventually(
        lambda: {span.id: span for span in spans("imghost-api").values() if span.id == rendered[0].parent},
        within=20,
        why="api sent the span that imaging names",
    )
    calling = api[rendered[0].parent]
    upload = spans("imghost-api")[calling.parent]
    assert (len(rendered), upload.name, upload.parent) == (1, "POST /upload", parent)


async def test_metrics_count_uploads_and_requests(server: httpx.AsyncClient) -> None:
    """Uploads by outcome, bytes, refusals and requests by route are on the ops port only, without ids in labels."""
    person = await register(server)
    await person.upload(IMAGE)
    await person.upload(b"no image")
    await server.get("/images", headers=person.key)
    assert (await server.get("/metrics")).status_code == 404
    async with httpx.AsyncClient(base_url=server.ops_url) as ops:  # type: ignore[attr-defined]
        text = (await ops.get("/metrics")).text
    assert 'imghost_uploads_total{outcome="stored"} 1.0' in text
    assert 'imghost_uploads_total{outcome="unsupported_format"} 1.0' in text
    assert f"imghost_upload_size_bytes_sum {float(len(IMAGE))}" in text
    assert re.search(
        r'http_server_request_duration_seconds_count\{method="GET",route="/images",status="200"\} 1\.0', text
    )
    assert person.id not in text


async def test_a_refused_large_upload_reaches_a_real_client(server: httpx.AsyncClient) -> None:
    """Over a real connection, too, a client that sends far too much gets the 413 and its reason."""
    person = await register(server)
    response = await person.upload(b"x" * (60 * 1024 * 1024))
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert (await server.get("/images", headers=person.key)).status_code == 200
