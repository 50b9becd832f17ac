"""The database and the store may be away for a while."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from imghost_dev.cluster.install import BACKENDS
from support import sample_images
from support.e2e.audit import assert_nothing_is_lost
from support.e2e.figures import Figures
from support.e2e.ledger import Ledger
from support.e2e.objects import Objects
from support.e2e.tenants import Tenants
from support.eventually import eventually

IMAGE = sample_images.photo(800, 600)


@pytest.mark.parametrize(("server", "condition"), [("postgres", "DatabaseReady"), ("minio", "StorageReady")])
async def test_an_outage_is_reported_and_heals(
    tenants: Tenants, objects: Objects, figures: Figures, tmp_path: Path, server: str, condition: str
) -> None:
    """While PostgreSQL or MinIO is away, uploads get 503 with Retry-After and the tenant says which one it misses; when
    it is back all heals by itself, and what was acknowledged is there.
    """
    tenant = await tenants.ready()
    client, ledger = tenant.client, Ledger(tmp_path / "ledger")
    account = await client.register()
    ledger.write(account.key, IMAGE, await client.upload_or_fail(account, IMAGE))

    async def status_of_upload() -> httpx.Response:
        return await client.http.post(
            f"{tenant.urls['upload']}/upload", headers=account.headers, files={"file": ("a.jpg", IMAGE)}
        )

    async with _stop(objects, server):
        response = await status_of_upload()
        assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) > 0
        seen = await tenant.until(condition, "False", "BackendDown", within=90)
        assert "does not respond" in seen["message"]
        await tenant.until("Ready", "False", "BackendDown")

    async def accepted() -> bool:
        response = await status_of_upload()
        if response.status_code != httpx.codes.CREATED:
            assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE, response.text
            return False
        ledger.write(account.key, IMAGE, response.json()["image"])
        return True

    with figures.measure(f"uploads again after {server} is back"):
        await eventually(accepted, within=90, every=0.25, ignoring=(httpx.TransportError,), why="uploads are accepted")
    with figures.measure(f"Ready again after {server} is back"):
        await tenant.until("Ready", within=120)
    await assert_nothing_is_lost(client, ledger)


@asynccontextmanager
async def _stop(objects: Objects, server: str) -> AsyncIterator[None]:
    """The server has no pod inside, and back and ready after."""
    await _scale(objects, server, 0)
    try:
        yield
    finally:
        await _scale(objects, server, 1)


async def _scale(objects: Objects, server: str, replicas: int) -> None:
    objects.patch("StatefulSet", server, {"spec": {"replicas": replicas}}, BACKENDS)

    def done() -> bool:
        status = objects.get("StatefulSet", server, BACKENDS)["status"]
        pods = objects.list("Pod", BACKENDS, f"app={server}")
        return (status.get("readyReplicas", 0), len(pods)) == (replicas, replicas)

    await eventually(done, within=60, why=f"{server} has {replicas} pods")
