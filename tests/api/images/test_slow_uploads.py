"""Uploads that take their time: time-outs, slots, and what changes while a body arrives."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from support import sample_images
from support.api import FORM_HEAD, TenantDatabase, problem, register


async def test_a_key_that_is_revoked_meanwhile_stores_nothing(
    open_api: Any, imaging_url: str, tenant: TenantDatabase, store_root: Path
) -> None:
    """An upload whose API key is revoked while its body arrives is a 401, and leaves neither a row nor an object."""
    gate, begun = asyncio.Event(), asyncio.Event()
    photo = sample_images.photo(64, 64)

    async def body() -> AsyncIterator[bytes]:
        yield FORM_HEAD + photo[:100]
        begun.set()
        await gate.wait()
        yield photo[100:] + b"\r\n--b--\r\n"

    async with open_api(imaging_url=imaging_url) as api:
        person = await register(api)
        headers = {**person.key, "Content-Type": "multipart/form-data; boundary=b"}
        upload = asyncio.create_task(api.post("/upload", headers=headers, content=body()))
        await begun.wait()
        key = person.registration["api_key"]["id"]
        assert (await api.delete(f"/api/v1/api-keys/{key}", headers=person.token)).status_code == 200
        gate.set()
        problem(await upload, 401, "key_revoked")
    ((workspace,),) = tenant.query("SELECT workspace_id FROM memberships WHERE user_id = %s", person.id)
    assert tenant.query("SELECT count(*) FROM images WHERE workspace_id = %s", workspace) == [(0,)]
    assert not [path for path in (store_root / "w" / str(workspace)).rglob("*") if path.is_file()]


async def test_one_workspace_does_not_take_every_slot(open_api: Any) -> None:
    """Uploads that dawdle are limited for each workspace; others still upload."""
    gate, begun = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield FORM_HEAD
        begun.set()
        await gate.wait()

    async with open_api(upload_concurrency=2, upload_concurrency_per_workspace=1) as api:
        slow, other = await register(api), await register(api)
        headers = {**slow.key, "Content-Type": "multipart/form-data; boundary=b"}
        first = asyncio.create_task(api.post("/upload", headers=headers, content=body()))
        await begun.wait()
        problem(await slow.upload(b"x"), 503, "overloaded")
        problem(await other.upload(b"x"), 503, "imaging_unavailable")  # it got as far as imaging
        gate.set()
        await first


async def test_a_slow_body_ends(open_api: Any) -> None:
    """A body that does not arrive in time is given up, and the slot is free again."""

    async def body() -> AsyncIterator[bytes]:
        yield FORM_HEAD
        await asyncio.Event().wait()

    async with open_api(upload_timeout_seconds=0.1, upload_concurrency=1) as api:
        person = await register(api)
        headers = {**person.key, "Content-Type": "multipart/form-data; boundary=b"}
        for _ in range(2):
            problem(await api.post("/upload", headers=headers, content=body()), 408, "upload_timeout")


async def test_more_uploads_than_slots_are_rejected(open_api: Any) -> None:
    """Beyond the bound an upload is rejected immediately with 503 and Retry-After, and not queued."""
    gate, begun = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield FORM_HEAD
        begun.set()
        await gate.wait()
        yield b"x\r\n--b--\r\n"

    async with open_api(upload_concurrency=1) as api:
        person = await register(api)
        headers = {**person.key, "Content-Type": "multipart/form-data; boundary=b"}
        first = asyncio.create_task(api.post("/upload", headers=headers, content=body()))
        await begun.wait()
        refused = await person.upload(b"x")
        problem(refused, 503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        gate.set()
        await first
