"""The process: settings, assembly, health, metrics, and its end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import ValidationError

from imghost_core.objects import open_store
from imghost_core.settings import StoreSettings
from imghost_imaging.catalog import Catalog
from imghost_imaging.settings import ImagingSettings
from support import sample_images
from support.eventually import eventually
from support.imaging import TOKEN, Imaging, ImagingDatabase

RUN = [sys.executable, "-m", "imghost_imaging"]


def settings(**values: object) -> ImagingSettings:
    return ImagingSettings.model_validate({"internal_token": TOKEN} | values)


def test_defaults_are_safe() -> None:
    """Limits are on, AVIF is off, and slots follow the cores."""
    made = settings()
    assert made.formats == ("jpeg", "png", "gif", "webp")
    assert (made.max_input_bytes, made.max_pixels, made.max_frames) == (26_214_400, 100_000_000, 300)
    assert (made.concurrency, made.queue_per_slot) == (os.cpu_count(), 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"formats": "jpeg,svg"},
        {"formats": ""},
        {"internal_token": "short"},
        {"max_pixels": 0},
        {"max_frames": -1},
        {"concurrency": 0},
        {"queue_per_slot": -1},
    ],
)
def test_invalid_settings_are_rejected(wrong: dict[str, object]) -> None:
    """Nonsense in the environment ends the start, not the first upload."""
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_formats_is_a_comma_separated_list() -> None:
    """FORMATS is written as people write lists."""
    assert settings(formats="jpeg, avif").formats == ("jpeg", "avif")


def test_invalid_settings_end_the_process_with_one_line(tmp_path: Path) -> None:
    """The process ends non-zero with one line naming every wrong setting and no value."""
    environment = {"PATH": os.environ["PATH"], "FORMATS": "jpeg,svg", "INTERNAL_TOKEN": "canary", "STORE_KIND": "s3"}
    done = subprocess.run(RUN, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "FORMATS" in done.stderr
    assert "INTERNAL_TOKEN" in done.stderr
    assert "canary" not in done.stderr


@pytest.fixture
async def process(tenant: ImagingDatabase, tmp_path: Path) -> AsyncIterator[tuple[subprocess.Popen[str], Imaging]]:
    """The real process, ready, started from its environment alone; it must write no warning or error."""
    storage = StoreSettings(store_kind="filesystem", store_root=tmp_path / "store")
    ports = [_free_port(), _free_port()]
    environment = os.environ | {
        "HOST": "127.0.0.1",
        "PORT": str(ports[0]),
        "OPS_PORT": str(ports[1]),
        "INTERNAL_TOKEN": TOKEN,
        "DATABASE_URL": tenant.imaging_url,
        "STORE_KIND": "filesystem",
        "STORE_ROOT": str(storage.store_root),
        "LOG_LEVEL": "warning",
    }
    started = subprocess.Popen(RUN, env=environment, stderr=subprocess.PIPE, text=True)
    store = open_store(storage)
    try:
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[0]}", trust_env=False) as public,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[1]}", trust_env=False, timeout=30) as ops,
        ):

            async def ready() -> bool:
                return (await ops.get("/readyz")).status_code == 200

            await eventually(ready, within=30, why="the process is ready", ignoring=(httpx.HTTPError,))
            yield started, Imaging(tenant, store, public, ops)
    finally:
        started.kill()
        _, errors = started.communicate()
        await store.close()
    assert errors == ""


async def test_the_process_serves_and_exits_on_sigterm(process: tuple[subprocess.Popen[str], Imaging]) -> None:
    """Both listeners answer; SIGTERM ends it with 0, and the last view is written before."""
    running, imaging = process
    stored = await imaging.upload(sample_images.photo())
    assert (await imaging.public.get(f"/i/{stored.public_id}")).content == stored.body
    running.send_signal(signal.SIGTERM)
    await eventually(lambda: running.poll() is not None, within=30, why="SIGTERM ends the process")
    assert running.returncode == 0
    query = "SELECT variant FROM view_events WHERE image_id = %(id)s"
    assert imaging.tenant.execute(query, {"id": stored.image}) == [("original",)]


async def test_a_running_ingest_is_finished_after_sigterm(process: tuple[subprocess.Popen[str], Imaging]) -> None:
    """What is being ingested when the pod gets SIGTERM is finished, stored and answered."""
    running, imaging = process
    request = await imaging.put(sample_images.webp(60, 400, 400))
    upload = asyncio.create_task(imaging.ingest(request))

    async def at_work() -> bool:
        return await imaging.metric("imghost_imaging_slots_busy") == 1

    await eventually(at_work, why="the upload is being worked on", every=0.005)
    running.send_signal(signal.SIGTERM)
    response = await upload
    assert response.status_code == 200, response.text
    assert len(await imaging.stored_keys(request["image"])) == 6
    await eventually(lambda: running.poll() is not None, within=30, why="SIGTERM ends the process")
    assert running.returncode == 0


async def test_an_unexpected_error_is_a_500_without_its_text(imaging: Imaging, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours is a 500 problem document with the request id and no text of the failure, and is counted."""

    async def defect(*_: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(Catalog, "find", defect)
    response = await imaging.public.get(f"/i/{'a' * 12}", headers={"X-Request-Id": "known-to-the-caller"})
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.headers["x-request-id"] == "known-to-the-caller" == response.json()["request_id"]
    assert "canary" not in response.text
    assert await imaging.metric('imghost_http_errors_total{code="internal_error"}') == 1


async def test_health_is_on_both_listeners(imaging: Imaging) -> None:
    """Probes and /health answer on the public and the ops listener."""
    for client in (imaging.public, imaging.ops):
        for path in ("/health", "/livez", "/readyz"):
            response = await client.get(path)
            assert (response.status_code, response.json()["status"]) == (200, "ok")
    assert (await imaging.ops.get("/readyz")).json()["checks"] == {"database": "ok", "store": "ok", "decoder": "ok"}


async def test_every_metric_exists_from_the_start(imaging: Imaging) -> None:
    """A dashboard finds all of our names before the first image."""
    text = (await imaging.ops.get("/metrics")).text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE imghost_imaging_")}
    assert {name for name in names if not name.endswith("_created")} == {
        "imghost_imaging_ingest_seconds",
        "imghost_imaging_render_seconds",
        "imghost_imaging_rejects_total",
        "imghost_imaging_slots_busy",
        "imghost_imaging_slots_queued",
        "imghost_imaging_slots_rejected_total",
        "imghost_imaging_decoders_killed_total",
        "imghost_imaging_fork_server_restarts_total",
        "imghost_imaging_memory_budget_bytes",
        "imghost_imaging_memory_reserved_bytes",
        "imghost_imaging_sandbox_layer",
        "imghost_imaging_variants_regenerated_total",
        "imghost_imaging_views_written_total",
        "imghost_imaging_views_dropped_total",
    }


async def test_the_database_role_has_no_other_rights(imaging: Imaging, tenant: ImagingDatabase) -> None:
    """With imaging's own credentials nothing but the view can be read, and nothing but events be written."""
    forbidden = [
        "SELECT * FROM users",
        "SELECT * FROM images",
        "SELECT * FROM view_events",
        "DELETE FROM view_events",
        "UPDATE delivery_images SET is_public = true",
        "CREATE TABLE loot (a int)",
    ]
    with psycopg.connect(tenant.imaging_url, autocommit=True) as connection:
        for statement in forbidden:
            with pytest.raises(psycopg.Error):
                connection.execute(statement)  # type: ignore[arg-type]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
