"""The worker as a process: it does what the api leaves to it, loses nothing when killed, and stops gracefully."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg import sql

from imghost_api.settings import ApiSettings
from imghost_core import object_keys
from support import sample_images
from support.api import Person, TenantDatabase, new_tenant, register
from support.api_processes import KillableProcess, api_process, worker_process
from support.eventually import eventually
from support.imaging_server import serve_imaging
from support.postgres import Postgres
from support.processes import HOST

IMAGE = sample_images.photo(64, 48)
OBJECTS = 6  # of one image: its original and what is made of it


class Setup:
    """One tenant with an api and a worker process on it; the worker is not started yet."""

    def __init__(self, tenant: TenantDatabase, store: Path, api: KillableProcess, worker: KillableProcess) -> None:
        self.tenant, self.store, self.api, self.worker = tenant, store, api, worker

    @asynccontextmanager
    async def person(self) -> AsyncIterator[Person]:
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{self.api.port}", timeout=30) as client:
            yield await register(client)

    def objects(self, image: UUID) -> int:
        """How many objects an image has."""
        ((workspace,),) = self.tenant.query("SELECT workspace_id FROM images WHERE id = %s", image)
        folder = self.store / object_keys.image_prefix(workspace, image)
        return sum(len(names) for _, _, names in os.walk(folder))

    @asynccontextmanager
    async def locked(self, table: str) -> AsyncIterator[None]:
        """Nothing can write to or read a table."""
        async with await psycopg.AsyncConnection.connect(self.tenant.admin_url) as connection:
            await connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table)))
            yield

    async def waits(self, statement: str) -> None:
        """Until a statement like this waits for a lock."""
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = %s AND query LIKE %s"
        role = self.tenant.role("api")
        await eventually(
            lambda: self.tenant.query(waiting, role, f"%{statement}%"), within=20, why=f"{statement} waits"
        )

    async def start_worker(self) -> None:
        """Until it listens and has its subscribers known."""
        await self.worker.start()
        known = "SELECT 1 FROM event_subscriptions"
        await eventually(lambda: self.tenant.query(known), within=20, why="the worker subscribed")


@pytest.fixture
async def setup(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Setup]:
    tenant = new_tenant(postgres)
    tenant.migrate()
    store = tmp_path / "store"
    store.mkdir()
    with serve_imaging(tenant, tmp_path, STORE_ROOT=str(store)) as imaging:
        api = api_process(tenant, store, tmp_path, imaging_url=imaging)
        worker = worker_process(tenant, store, tmp_path, shutdown_grace_seconds=8)
        await api.start()
        yield Setup(tenant, store, api, worker)
        api.kill()
        worker.kill()


async def upload(setup: Setup, person: Person) -> tuple[str, UUID]:
    """Public id and id of a new image."""
    response = await person.upload(IMAGE)
    assert response.status_code == 201, response.text
    public_id = response.json()["image"]["id"]
    ((image,),) = setup.tenant.query("SELECT id FROM images WHERE public_id = %s", public_id)
    return public_id, image


async def delete(person: Person, public_id: str) -> None:
    response = await person.client.delete(f"/images/{public_id}", headers=person.key)
    assert response.status_code == 200, response.text


async def killed_before_routing(setup: Setup, person: Person, public_id: str) -> None:
    async with setup.locked("event_deliveries"):
        await delete(person, public_id)
        await setup.waits("INSERT INTO event_deliveries")
        setup.worker.kill()


async def killed_in_the_delivery(setup: Setup, person: Person, public_id: str) -> None:
    async with setup.locked("procrastinate_jobs"):
        await delete(person, public_id)
        await setup.waits("procrastinate_defer_jobs")
        setup.worker.kill()


async def killed_in_the_job(setup: Setup, person: Person, public_id: str) -> None:
    async with AsyncExitStack() as locks:
        async with setup.locked("procrastinate_jobs"):
            await delete(person, public_id)
            await setup.waits("procrastinate_defer_jobs")
            await locks.enter_async_context(setup.locked("images"))
        await setup.waits("FROM images")
        setup.worker.kill()


MOMENTS = [killed_before_routing, killed_in_the_delivery, killed_in_the_job]


async def test_a_worker_killed_at_every_moment_loses_nothing(setup: Setup) -> None:
    """Kill -9 after the event was published and before it is routed, while it is delivered, and while its job runs:
    the next worker removes the objects of every deleted image, and of no other.
    """
    async with setup.person() as person:
        _, kept = await upload(setup, person)
        for kill in MOMENTS:
            public_id, image = await upload(setup, person)
            await setup.start_worker()
            await kill(setup, person, public_id)
            assert setup.objects(image) == OBJECTS, kill
            setup.tenant.query("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
            await setup.start_worker()
            await eventually(lambda image=image: setup.objects(image) == 0, within=60, why=f"after {kill.__name__}")
            assert setup.worker.stop(within=15) == 0
        assert setup.objects(kept) == OBJECTS
    assert setup.tenant.query("SELECT count(*) FROM event_deliveries") == [(0,)]


async def test_an_api_killed_before_the_commit_published_nothing(setup: Setup) -> None:
    """Kill -9 of the api after it inserted the event and before it commits: the image lives, and no event exists."""
    setup.tenant.query(
        "CREATE FUNCTION hold() RETURNS trigger AS $$ BEGIN PERFORM pg_advisory_xact_lock(42);"
        " RETURN NULL; END $$ LANGUAGE plpgsql SECURITY DEFINER"
    )
    async with setup.person() as person:
        public_id, image = await upload(setup, person)
        await setup.start_worker()
        setup.tenant.query("CREATE TRIGGER hold AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION hold()")
        async with await psycopg.AsyncConnection.connect(setup.tenant.admin_url) as holder:
            await holder.execute("SELECT pg_advisory_xact_lock(42)")
            deleting = asyncio.create_task(delete(person, public_id))
            await setup.waits("INSERT INTO outbox")
            setup.api.kill()
            with pytest.raises(httpx.TransportError):
                await deleting
        setup.tenant.query("DROP TRIGGER hold ON outbox")
        await setup.api.start()
        # A deletion published afterwards is delivered: what came before would have been by then.
        other_id, other = await upload(setup, person)
        await delete(person, other_id)
        await eventually(lambda: setup.objects(other) == 0, within=30, why="the other image's objects are removed")
        assert setup.objects(image) == OBJECTS
        deleted = "SELECT count(*) FROM outbox WHERE type = 'image.deleted' AND payload ->> 'image_id' = %s"
        assert setup.tenant.query(deleted, str(image)) == [(0,)]
        (shown,) = (await person.client.get("/images", headers=person.key)).json()["data"]
        assert shown["id"] == public_id
    setup.worker.stop()


async def test_the_api_runs_no_jobs(setup: Setup) -> None:
    """An api process leaves jobs and events to workers: it has no setting for them, without a worker nothing is
    delivered, and none of its connections is a worker's.
    """
    assert not [name for name in ApiSettings.model_fields if name.startswith(("jobs_", "events_"))]
    async with setup.person() as person:
        public_id, image = await upload(setup, person)
        await delete(person, public_id)
        names = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE usename = %s"
        assert setup.tenant.query(names, setup.tenant.role("api")) == [("imghost-api",)]
        assert setup.tenant.query("SELECT count(*) FROM outbox WHERE routed") == [(0,)]
        assert setup.objects(image) == OBJECTS


async def test_the_worker_serves_probes_and_metrics_and_stops(setup: Setup) -> None:
    """The ops port answers probes and shows what waits and what was done; SIGTERM ends the process within its grace,
    also while the database is away.
    """
    await setup.start_worker()
    async with setup.person() as person, httpx.AsyncClient(base_url=f"http://{HOST}:{setup.worker.port}") as ops:
        public_id, image = await upload(setup, person)
        await delete(person, public_id)
        await eventually(lambda: setup.objects(image) == 0, within=30, why="the objects are removed")
        assert (await ops.get("/livez")).status_code == 200
        assert (await ops.get("/readyz")).json() == {"status": "ok", "checks": {"database": "ok"}}

        async def counted() -> None:
            text = (await ops.get("/metrics")).text
            assert 'imghost_events_deliveries_total{outcome="done",subscriber="image_objects"} 1.0' in text
            assert 'imghost_events_dead{subscriber="image_objects"} 0.0' in text
            assert 'imghost_jobs_total{job="delete_objects",outcome="done"} 1.0' in text
            assert 'imghost_jobs_waiting{queue="bulk"} 0.0' in text

        # Work is counted when it is recorded as done, which is after its last object was removed.
        await eventually(counted, within=20, why="the metrics say so")
    began = time.monotonic()
    assert setup.worker.stop(within=15) == 0
    assert time.monotonic() - began < 8


def test_a_worker_without_a_usable_setting_says_so_in_one_line() -> None:
    """`imghost_api worker` with a missing setting ends non-zero with one line that names it."""
    argv = [sys.executable, "-m", "imghost_api", "worker"]
    ended = subprocess.run(argv, env={"STORE_KIND": "filesystem"}, capture_output=True, text=True, check=False)
    (line,) = ended.stderr.strip().splitlines()
    assert ended.returncode != 0
    assert line.startswith("imghost worker: ")
    assert "DATABASE_URL" in line
