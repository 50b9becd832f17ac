"""What fails in a decoder is about the image, or a fault of ours; it never looks like an outage that ends."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from imghost_core.settings import StoreSettings
from imghost_imaging import main
from support import denied_forks, failing_decoder, sample_images
from support.eventually import eventually
from support.failing_decoder import ask
from support.imaging import Imaging, ImagingDatabase, running


@pytest.fixture
async def failing(
    tenant: ImagingDatabase, storage: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Imaging]:
    """The service with a decoder that fails when an image asks for it."""
    monkeypatch.setattr(main, "DECODER", (sys.executable, "-I", failing_decoder.__file__))
    async with running(tenant, storage, concurrency=1, render_seconds=5) as service:
        yield service


async def refuse(imaging: Imaging, status: int, code: str, **what: object) -> None:
    """Ingest an image that fails so; nothing is stored, and the next image is rendered."""
    request = await imaging.put(ask(sample_images.photo(), **what))
    response = await imaging.ingest(request)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert ("retry-after" in response.headers) == (status == 503)
    assert await imaging.stored_keys(request["image"]) == [f"original/{request['sha256']}"]
    assert await imaging.metric(f'imghost_imaging_ingest_seconds_count{{outcome="{code}"}}') == 1
    assert (await imaging.ingest(await imaging.put(sample_images.photo()))).status_code == 200


@pytest.mark.parametrize("error", ["pyvips", "unicode"])
async def test_an_error_of_libvips_is_about_the_image(failing: Imaging, error: str) -> None:
    """Also one whose message contains bytes of the file, which pyvips cannot read: 422 corrupt_image."""
    await refuse(failing, 422, "corrupt_image", error=error)


@pytest.mark.parametrize("error", ["value", "key", "recursion", "os"])
async def test_any_other_exception_is_an_internal_error(failing: Imaging, error: str) -> None:
    """500 without Retry-After: the same image would fail again."""
    await refuse(failing, 500, "internal_error", error=error)


async def test_no_memory_is_about_the_image(failing: Imaging) -> None:
    """An image that needs more than its header announces is 422 too_complex, and counted."""
    await refuse(failing, 422, "too_complex", error="memory")
    assert await failing.metric('imghost_imaging_decoders_killed_total{cause="memory"}') == 1


@pytest.mark.parametrize(
    ("number", "code", "cause"),
    [
        (signal.SIGSEGV, "corrupt_image", "crash"),
        (signal.SIGABRT, "corrupt_image", "crash"),
        (signal.SIGTRAP, "too_complex", "memory"),
        (signal.SIGRTMIN, "corrupt_image", "crash"),
        (signal.SIGXCPU, "too_complex", "cpu"),
    ],
)
async def test_a_decoder_that_is_killed_is_about_the_image(
    failing: Imaging, number: int, code: str, cause: str
) -> None:
    """422 by cause, counted; the service goes on."""
    await refuse(failing, 422, code, signal=number)
    assert await failing.metric(f'imghost_imaging_decoders_killed_total{{cause="{cause}"}}') == 1


async def test_a_decoder_that_the_system_kills_is_an_overload(failing: Imaging) -> None:
    """A node without memory is not about the image: 503 with Retry-After, counted."""
    await refuse(failing, 503, "overloaded", signal=signal.SIGKILL)
    assert await failing.metric('imghost_imaging_decoders_killed_total{cause="killed"}') == 1


async def test_a_decoder_that_hangs_is_stopped(failing: Imaging) -> None:
    """503 overloaded at the time limit, and the slot is free again."""
    await refuse(failing, 503, "overloaded", sleep=60)
    assert await failing.metric('imghost_imaging_decoders_killed_total{cause="time"}') == 1
    assert await failing.metric("imghost_imaging_memory_reserved_bytes") == 0


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"width": float("inf"), "height": 1, "frames": 1, "extension": "jpg"},
        {"width": 1e300, "height": 1, "frames": 1, "extension": "jpg"},
        {"width": True, "height": 1, "frames": 1, "extension": "jpg"},
        {"width": "a", "height": 1, "frames": 1, "extension": "jpg"},
        {"width": 1, "height": 1, "frames": 1},
    ],
)
async def test_an_answer_that_makes_no_sense_is_refused(failing: Imaging, answer: dict[str, object]) -> None:
    """A compromised decoder cannot make the service fail or store what is not a rendition."""
    await refuse(failing, 422, "corrupt_image", answer=answer)


async def test_the_service_survives_its_fork_server(failing: Imaging) -> None:
    """While the fork server starts again uploads are 503 with Retry-After, then they are taken again."""
    (server,) = (pid for pid in children(os.getpid()) if b"failing_decoder" in command(pid))
    os.kill(server, signal.SIGKILL)

    async def accepted() -> bool:
        response = await failing.ingest(await failing.put(sample_images.photo()))
        assert (response.status_code, response.json().get("code")) in {(200, None), (503, "overloaded")}
        return response.status_code == 200

    await eventually(accepted, within=20, why="uploads are taken again")
    assert await failing.metric("imghost_imaging_fork_server_restarts_total") == 1


async def test_a_pod_without_a_fork_server_is_not_ready(
    tenant: ImagingDatabase, storage: StoreSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While the fork server cannot be started it is tried again, and `/readyz` says so; then all is well."""
    program, away = tmp_path / "program", tmp_path / "away"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {failing_decoder.__file__} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(main, "DECODER", (str(program),))
    async with running(tenant, storage, concurrency=1) as service:

        async def ready() -> bool:
            return (await service.ops.get("/readyz")).status_code == 200

        assert await ready()
        (server,) = (pid for pid in children(os.getpid()) if b"failing_decoder" in command(pid))
        program.rename(away)
        os.kill(server, signal.SIGKILL)

        async def not_ready() -> bool:
            return not await ready()

        await eventually(not_ready, why="it has no decoder")
        assert (await service.ops.get("/readyz")).json()["checks"]["decoder"] == "The decoder is starting again."
        assert (await service.ingest(await service.put(sample_images.photo()))).status_code == 503
        away.rename(program)
        await eventually(ready, within=20, why="the decoder is back")
        assert (await service.ingest(await service.put(sample_images.photo()))).status_code == 200


async def test_an_upload_without_a_free_process_id_is_an_overload(
    tenant: ImagingDatabase, storage: StoreSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """When the kernel denies a fork it is 503 with Retry-After, not about the image, and the next one is taken."""
    denied = range(2, 4)  # the spare child, and the one of the first upload
    monkeypatch.setattr(main, "DECODER", tuple(denied_forks.command(failing_decoder.__file__, denied, tmp_path)))
    async with running(tenant, storage, concurrency=1) as service:
        request = await service.put(sample_images.photo())
        response = await service.ingest(request)
        assert (response.status_code, response.json()["code"]) == (503, "overloaded")
        assert response.headers["retry-after"] == "5"
        assert (await service.ingest(request)).status_code == 200


def children(pid: int) -> list[int]:
    return [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
