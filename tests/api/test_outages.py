"""When something we depend on is away: a quick 503 that says when to come back, nothing counted, and it heals."""

import time
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from imghost_api.readiness import Readiness
from imghost_core.errors import Unavailable
from support import sample_images
from support.api import TenantDatabase, names, problem, register
from support.eventually import eventually
from support.forwarder import Forwarder

IMAGE = sample_images.photo(64, 48)


def unavailable(response: httpx.Response, code: str = "unavailable") -> None:
    problem(response, 503, code)
    assert int(response.headers["retry-after"]) >= 1


async def test_an_outage_of_the_database_is_a_503_and_ends(
    open_api: Any, imaging_url: str, tenant: TenantDatabase
) -> None:
    """Without the database every route answers 503 fast; when it is back everything works again by itself."""
    async with Forwarder(tenant.server.port) as way:
        url = tenant.url("api").replace(f":{tenant.server.port}/", f":{way.port}/")
        async with open_api(database_url=url, imaging_url=imaging_url) as api:
            person = await register(api)
            await way.down()
            began = time.monotonic()
            unavailable(await api.post("/api/v1/auth/register", json=names()))
            unavailable(await api.post("/api/v1/auth/login", json={"identifier": "a", "password": "b"}))
            unavailable(await api.get("/images", headers=person.key))
            unavailable(await person.upload(IMAGE))
            assert time.monotonic() - began < 5
            assert (await api.get("/livez")).status_code == 200
            await way.up()

            async def works() -> bool:
                return (await person.upload(IMAGE)).status_code == 201

            await eventually(works, within=10, why="uploads work again")
            assert (await person.quota())["uploads"]["used"] == 1


@pytest.mark.parametrize("role", ["api", "worker"])
async def test_a_process_stops_while_the_database_is_away(
    open_api: Any, open_worker: Any, tenant: TenantDatabase, role: str
) -> None:
    """Stopping does not wait for a database that is out of reach, although requests or jobs were running on it."""
    async with Forwarder(tenant.server.port) as way:
        url = tenant.url("api").replace(f":{tenant.server.port}/", f":{way.port}/")
        if role == "api":
            async with open_api(database_url=url) as api:
                await register(api)
                await way.down()
                unavailable(await api.post("/api/v1/auth/register", json=names()))
                began = time.monotonic()
        else:
            async with open_worker(database_url=url) as context:
                await context.database.check()
                await way.down()
                with pytest.raises(Unavailable):
                    await context.database.check()
                began = time.monotonic()
        assert time.monotonic() - began < 12


async def test_the_database_does_not_answer(open_api: Any, tenant: TenantDatabase) -> None:
    """A database that accepts and then says nothing is given up after the time-out, not waited for."""
    async with Forwarder(tenant.server.port) as way:
        way.hold()
        url = tenant.url("api").replace(f":{tenant.server.port}/", f":{way.port}/")
        async with open_api(database_url=url, database_timeout_seconds=1) as api:
            began = time.monotonic()
            unavailable(await api.post("/api/v1/auth/login", json={"identifier": "a", "password": "b"}))
            assert time.monotonic() - began < 6


@pytest.mark.parametrize("kind", ["filesystem", "s3"])
async def test_the_store_is_away(open_api: Any, tenant: TenantDatabase, tmp_path: Path, kind: str) -> None:
    """Without the store an upload is a 503, nothing is counted, and its Idempotency-Key is free again."""
    (tmp_path / "broken").write_text("a file where a folder should be")
    changes: dict[str, Any] = {"store_root": tmp_path / "broken"}
    if kind == "s3":
        changes = {
            "store_kind": "s3",
            "s3_endpoint": "http://127.0.0.1:9",
            "s3_bucket": "images",
            "s3_access_key_id": "unknown",
            "s3_secret_access_key": "canary-secret",
            "store_timeout_seconds": 1,
        }
    async with open_api(**changes) as api:
        person = await register(api)
        began = time.monotonic()
        for _ in range(2):
            unavailable(await person.upload(IMAGE, **{"Idempotency-Key": "once"}))
        assert time.monotonic() - began < 8
        assert (await person.quota())["uploads"]["used"] == 0
    assert tenant.query("SELECT count(*) FROM images WHERE user_id = %s", person.id) == [(0,)]


async def test_an_outage_of_imaging_is_a_503_and_ends(open_api: Any, imaging_url: str, store_root: Path) -> None:
    """Without imaging an upload is a 503 and its original is removed again; it heals by itself."""
    port = int(imaging_url.rpartition(":")[2])
    async with Forwarder(port) as way, open_api(imaging_url=f"http://127.0.0.1:{way.port}") as api:
        person = await register(api)
        await way.down()
        before = set(store_root.rglob("*"))
        unavailable(await person.upload(IMAGE), "imaging_unavailable")
        assert {path for path in set(store_root.rglob("*")) - before if path.is_file()} == set()
        await way.up()
        assert (await person.upload(IMAGE)).status_code == 201


async def test_imaging_moves_while_we_ask_for_it(
    open_api: Any, imaging_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection to imaging is tried again for a moment, because that is how a restarting pod looks: the
    user's upload succeeds.
    """
    async with (
        Forwarder(int(imaging_url.rpartition(":")[2])) as way,
        open_api(imaging_url=f"http://127.0.0.1:{way.port}") as api,
    ):
        person = await register(api)
        await way.down()
        refused, connect = [], anyio.connect_tcp

        async def seen(*where: Any, **how: Any) -> Any:
            try:
                return await connect(*where, **how)
            except OSError as error:
                refused.append(error)
                await way.up()
                raise

        monkeypatch.setattr(anyio, "connect_tcp", seen)
        assert (await person.upload(IMAGE)).status_code == 201
        assert len(refused) == 1


async def test_imaging_does_not_answer(open_api: Any, imaging_url: str) -> None:
    """An imaging that accepts and says nothing is given up after the time-out."""
    async with (
        Forwarder(int(imaging_url.rpartition(":")[2])) as way,
        open_api(imaging_url=f"http://127.0.0.1:{way.port}", imaging_timeout_seconds=0.3) as api,
    ):
        person = await register(api)
        way.hold()
        unavailable(await person.upload(IMAGE), "imaging_unavailable")


async def test_a_wrong_internal_token_is_our_trouble(open_api: Any, imaging_url: str) -> None:
    """When imaging does not trust us the caller gets a 503, not a 401 that would blame them."""
    async with open_api(imaging_url=imaging_url, internal_token="x" * 40) as api:
        unavailable(await (await register(api)).upload(IMAGE), "imaging_unavailable")


async def test_a_process_leaves_the_rotation_only_when_trouble_lasts() -> None:
    """Not ready until the database was seen once; then ready through a short absence, and unready in a long one."""
    now, away = 0.0, True

    async def check() -> None:
        if away:
            raise Unavailable("away")

    ready = Readiness(check, grace=10, clock=lambda: now)
    with pytest.raises(Unavailable):
        await ready()
    away = False
    await ready()
    away, now = True, 4.9
    await ready()
    now = 15.1
    with pytest.raises(Unavailable):
        await ready()
    away = False
    await ready()


async def test_replicas_do_not_leave_together() -> None:
    """Ten processes that lose the database at one moment leave the rotation at different ones."""
    now = 0.0
    away = False

    async def check() -> None:
        if away:
            raise Unavailable("away")

    replicas = [Readiness(check, grace=10, clock=lambda: now) for _ in range(10)]
    for replica in replicas:
        await replica()
    away = True
    left = {}
    for now in (tenth / 10 for tenth in range(200)):
        for number, replica in enumerate(replicas):
            try:
                await replica()
            except Unavailable:
                left.setdefault(number, now)
    assert len(left) == 10
    assert max(left.values()) - min(left.values()) > 1


async def test_readiness_depends_on_the_database(open_api: Any, tenant: TenantDatabase) -> None:
    """/readyz is 503 before the database was seen, 200 after, on both listeners; /livez and /health never mind."""
    async with Forwarder(tenant.server.port) as way:
        await way.down()
        url = tenant.url("api").replace(f":{tenant.server.port}/", f":{way.port}/")
        async with open_api(database_url=url, readiness_grace_seconds=0.001) as api:
            transport = httpx.ASGITransport(app=api.ops)
            async with httpx.AsyncClient(transport=transport, base_url="http://ops.test") as ops:
                for client in (api, ops):
                    assert (await client.get("/readyz")).status_code == 503
                    assert (await client.get("/livez")).status_code == 200
                    health = (await client.get("/health")).json()
                    assert (set(health), health["service"]) == ({"status", "service", "time"}, "api")
                await way.up()
                for client in (api, ops):
                    assert (await client.get("/readyz")).json() == {"status": "ok", "checks": {"database": "ok"}}
                await way.down()
                assert (await ops.get("/readyz")).status_code == 503
