"""kill -9 of a real api process in the middle of uploads: nothing acknowledged is lost, a retry makes one image."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import psycopg

from imghost_core import object_keys
from support import sample_images
from support.api import Person, TenantDatabase, register
from support.api_processes import KillableProcess, api_process
from support.eventually import eventually
from support.forwarder import Forwarder
from support.processes import HOST

IMAGE = sample_images.photo(800, 600)
HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"
BODY = HEAD + IMAGE + TAIL
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


async def test_killed_at_every_moment(
    tenant: TenantDatabase, store_root: Path, imaging_url: str, tmp_path: Path
) -> None:
    """Killed while receiving, during ingest, inside the last transaction and before the response: what
    was acknowledged before is there, and the retry with the same Idempotency-Key makes exactly one image.
    """
    async with Forwarder(int(imaging_url.rpartition(":")[2])) as imaging:
        url = f"http://{HOST}:{imaging.port}"
        server = api_process(tenant, store_root, tmp_path, imaging_url=url, idempotency_takeover_seconds=1)
        await server.start()
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{server.port}", timeout=30) as client:
            person = await register(client)
            upload_acknowledged = [await upload(person, "before")]
            moments: dict[str, Callable[[], Awaitable[None]]] = {
                "receiving": lambda: while_receiving(server, person),
                "ingest": lambda: during_ingest(server, person, imaging),
                "committing": lambda: while_committing(server, person, tenant),
                "answering": lambda: before_answering(server, person, tenant),
            }
            for moment, kill in moments.items():
                await kill()
                imaging.release()
                await server.start()
                upload_acknowledged.append(await upload(person, moment))
                assert await upload(person, moment) == upload_acknowledged[-1], moment
            assert_kept(tenant, person, store_root, upload_acknowledged)
        assert server.stop() == 0


async def upload(person: Person, key: str) -> str:
    """Upload until acknowledged, as a client does: with one key, waiting while it still runs."""
    headers = {**person.key, **FORM, "Idempotency-Key": key}

    async def upload_acknowledged() -> str:
        response = await person.client.post("/upload", headers=headers, content=BODY)
        assert response.status_code == 201, response.text
        return str(response.json()["image"]["id"])

    return await eventually(
        upload_acknowledged, within=20, every=0.2, why=f"{key} is acknowledged", ignoring=(httpx.TransportError,)
    )


async def begin(server: KillableProcess, person: Person, key: str, body: bytes) -> asyncio.StreamWriter:
    """Send the head of an upload and some of its body, and do not read the response."""
    _, writer = await asyncio.open_connection(HOST, server.port)
    headers = {**person.key, **FORM, "Idempotency-Key": key, "Host": "api", "Content-Length": str(len(BODY))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"POST /upload HTTP/1.1\r\n{lines}\r\n".encode() + body)
    await writer.drain()
    return writer


async def while_receiving(server: KillableProcess, person: Person) -> None:
    writer = await begin(server, person, "receiving", BODY[: len(BODY) // 2])
    server.kill()
    writer.close()


async def during_ingest(server: KillableProcess, person: Person, imaging: Forwarder) -> None:
    imaging.hold()
    writer = await begin(server, person, "ingest", BODY)
    await asyncio.wait_for(imaging.held.wait(), 20)
    server.kill()
    writer.close()


async def while_committing(server: KillableProcess, person: Person, tenant: TenantDatabase) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = %s"
    async with await psycopg.AsyncConnection.connect(tenant.admin_url) as lock:
        await lock.execute(
            "SELECT 1 FROM workspaces WHERE id = (SELECT workspace_id FROM memberships WHERE user_id = %s) FOR UPDATE",
            [person.id],
        )
        writer = await begin(server, person, "committing", BODY)
        await eventually(lambda: tenant.query(waiting, tenant.role("api"))[0][0], within=20, why="the commit waits")
        server.kill()
        writer.close()


async def before_answering(server: KillableProcess, person: Person, tenant: TenantDatabase) -> None:
    rows = "SELECT count(*) FROM idempotency_keys WHERE key = 'answering' AND reply IS NOT NULL"
    writer = await begin(server, person, "answering", BODY)
    await eventually(lambda: tenant.query(rows)[0][0], within=20, every=0.005, why="the upload commits")
    server.kill()
    writer.close()


def assert_kept(tenant: TenantDatabase, person: Person, store_root: Path, upload_acknowledged: list[str]) -> None:
    """Every acknowledged image has its row and objects, there is no other, and the counters agree."""
    rows = tenant.query("SELECT public_id, workspace_id, id, sha256 FROM images WHERE user_id = %s", person.id)
    assert sorted(row[0] for row in rows) == sorted(upload_acknowledged)
    for _, workspace, image, digest in rows:
        assert (store_root / object_keys.original(workspace, image, digest)).read_bytes() == IMAGE
        assert (store_root / object_keys.variant(workspace, image, "thumb", "jpg")).exists()
    counted = tenant.query(
        "SELECT storage_used, (SELECT sum(uploads_count) FROM usage_daily u WHERE u.workspace_id = w.id)"
        " FROM workspaces w WHERE id = %s",
        rows[0][1],
    )
    assert counted == [(len(IMAGE) * len(upload_acknowledged), len(upload_acknowledged))]
