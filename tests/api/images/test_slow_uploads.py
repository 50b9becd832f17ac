"""Uploads that take their time: time-outs, slots, and what changes while a body arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import sample_images
from support.api import FORM_HEAD, Person, TenantDatabase, client_from, problem, register


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


@asynccontextmanager
async def arriving(person: Person, count: int = 1, sent: int = 0) -> AsyncIterator[list[asyncio.Task[httpx.Response]]]:
    """`count` uploads of a person whose bodies have begun, with `sent` bytes, and go on only when the block ends."""
    gate, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def body() -> AsyncIterator[bytes]:
        yield FORM_HEAD + b"x" * sent
        begun.release()
        await gate.wait()
        yield b"x\r\n--b--\r\n"

    headers = {**person.key, "Content-Type": "multipart/form-data; boundary=b"}
    uploads = [
        asyncio.create_task(person.client.post("/upload", headers=headers, content=body())) for _ in range(count)
    ]
    for _ in uploads:
        await begun.acquire()
    yield uploads
    gate.set()
    await asyncio.gather(*uploads)


async def test_slow_bodies_take_no_slot(open_api: Any) -> None:
    """An upload whose body still arrives leaves the only slot to another, of the same workspace too."""
    async with open_api(upload_concurrency=1) as api:
        person = await register(api)
        async with arriving(person, 3):
            problem(await person.upload(b"x"), 503, "imaging_unavailable")  # it got as far as imaging


@pytest.mark.parametrize("limit", ["upload_concurrency_per_workspace", "uploads_per_address", "uploads"])
async def test_bodies_that_arrive_are_limited(open_api: Any, limit: str) -> None:
    """Of a workspace, from an address and in all: one more is a 503 with Retry-After, whose body is not read."""
    asked = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        asked.set()
        yield FORM_HEAD

    async with open_api(**{limit: 2}) as api, client_from(api.front, "192.0.2.7") as elsewhere:
        slow, other = await register(api), await register(elsewhere)
        async with arriving(slow, 2):
            headers = {**slow.key, "Content-Type": "multipart/form-data; boundary=b"}
            refused = await api.post("/upload", headers=headers, content=body())
            problem(refused, 503, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            assert not asked.is_set()
            code = "overloaded" if limit == "uploads" else "imaging_unavailable"
            problem(await other.upload(b"x"), 503, code)
        problem(await slow.upload(b"x"), 503, "imaging_unavailable")


async def test_disk_space_is_bounded(open_api: Any) -> None:
    """Bodies that do not fit into the space for uploads are a 503; what an upload used is free when it ends."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(open_api(spool_bytes=40_000))
        people = [await register(client_from(api.front, f"192.0.2.{number}")) for number in range(1, 6)]
        async with AsyncExitStack() as bodies:
            for person in people[:4]:
                await bodies.enter_async_context(arriving(person, sent=9_500))
            refused = problem(await people[4].upload(b"x" * 3_000), 503, "overloaded")
            assert refused["detail"].startswith("No disk space is left")
        for _ in range(2):
            problem(await people[4].upload(b"x" * 10_000), 503, "imaging_unavailable")


async def test_disk_space_is_shared(open_api: Any) -> None:
    """A quarter of it is for one workspace, from wherever it uploads, and for one address, whatever its workspaces."""
    async with open_api(spool_bytes=40_000) as api, client_from(api.front, "192.0.2.7") as elsewhere:
        slow, neighbour, other = await register(api), await register(api), await register(elsewhere)
        async with arriving(slow, 5, sent=1_900):
            for person, share in ((replace(slow, client=elsewhere), "of this workspace"), (neighbour, "your address")):
                refused = await person.upload(b"x" * 1_000)
                assert share in problem(refused, 503, "overloaded")["detail"]
                assert int(refused.headers["retry-after"]) >= 1
            problem(await other.upload(b"x" * 10_000), 503, "imaging_unavailable")
        problem(await slow.upload(b"x" * 10_001), 503, "overloaded")
        problem(await neighbour.upload(b"x" * 10_000), 503, "imaging_unavailable")


async def test_unknown_keys_take_no_place_from_others(open_api: Any) -> None:
    """Uploads whose credential waits to be looked up leave the places to those that turn out to be valid."""
    async with open_api(uploads=1, database_pool_size=2) as api, client_from(api.front, "192.0.2.7") as elsewhere:
        person = await register(api)
        unknown = {"X-API-Key": person.key["X-API-Key"][:-8] + "AAAAAAAA"}
        async with api.public.state.context.authentications.turn("another address"):  # the only slot
            guesses = [
                asyncio.create_task(elsewhere.post("/upload", headers=unknown, files={"file": b"x"})) for _ in range(8)
            ]
            upload = asyncio.create_task(person.upload(b"x"))
            finished, _ = await asyncio.wait([upload], timeout=0.2)
            assert not finished, (await upload).text
        problem(await upload, 503, "imaging_unavailable")
        for guess in guesses:
            assert (await guess).status_code == 401


async def test_an_upload_beyond_all_places_is_refused_before_the_credential(open_api: Any) -> None:
    """While every place is taken, a request costs no look at its credential."""
    async with open_api(uploads=1) as api, arriving(await register(api)):
        answer = await api.post("/upload", headers={"X-API-Key": "unknown"}, content=b"x")
        problem(answer, 503, "overloaded")


async def test_a_large_or_unwelcome_body_is_refused_before_the_credential(open_api: Any) -> None:
    """Its declared length alone rejects an upload, also without a valid credential."""
    async with open_api(max_upload_bytes=100) as api:
        answer = await api.post("/upload", headers={"X-API-Key": "unknown"}, content=b"x" * 100_000)
        problem(answer, 413, "too_large")


async def test_a_slow_body_ends(open_api: Any) -> None:
    """A body that does not arrive in time is given up, and its place is free again."""

    async def body() -> AsyncIterator[bytes]:
        yield FORM_HEAD
        await asyncio.Event().wait()

    async with open_api(upload_timeout_seconds=0.1, uploads=1) as api:
        person = await register(api)
        headers = {**person.key, "Content-Type": "multipart/form-data; boundary=b"}
        for _ in range(2):
            problem(await api.post("/upload", headers=headers, content=body()), 408, "upload_timeout")


async def test_a_received_upload_waits_for_a_slot(open_api: Any) -> None:
    """An upload that gets no slot in time is a 503."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(open_api(upload_concurrency=1, upload_queue_seconds=0.05))
        person = await register(api)
        await stack.enter_async_context(api.public.state.context.upload_slots.turn("another workspace"))
        problem(await person.upload(b"x"), 503, "overloaded")
