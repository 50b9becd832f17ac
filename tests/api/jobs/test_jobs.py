"""Background jobs: enqueued with their transaction, run, repeated without harm."""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from procrastinate.exceptions import AppNotOpen

from imghost_api.access.credentials import Authenticator
from imghost_api.access.principal import Principal
from imghost_api.accounts.sessions.jobs import delete_expired_attempts
from imghost_api.analytics.jobs import delete_expired_views, roll_up_views
from imghost_api.api_keys.jobs import fold_rate_windows
from imghost_api.context import AppContext
from imghost_api.idempotency.jobs import delete_expired_keys
from imghost_api.images.library import service
from imghost_api.images.library.jobs import delete_objects
from imghost_api.images.upload.jobs import OrphanSweep
from imghost_core import object_keys
from imghost_core.ids import uuid7
from support import sample_images
from support.api import Person, TenantDatabase, register
from support.eventually import eventually

PICTURE = sample_images.photo(64, 48)


def context_of(api: httpx.AsyncClient) -> AppContext:
    context: AppContext = api.public.state.context  # type: ignore[attr-defined]
    return context


def owner_of(tenant: TenantDatabase, public_id: str) -> tuple[UUID, UUID]:
    ((workspace, image),) = tenant.query("SELECT workspace_id, id FROM images WHERE public_id = %s", public_id)
    return workspace, image


def files(store_root: Path, workspace: UUID, image: UUID) -> list[Path]:
    """An image's objects; folders may vanish meanwhile."""
    found = os.walk(store_root / object_keys.image_prefix(workspace, image))
    return [Path(folder) / name for folder, _, names in found for name in names]


async def test_a_deleted_pictures_objects_go(
    open_api: Any, imaging_url: str, tenant: TenantDatabase, store_root: Path
) -> None:
    """Deleting a picture removes all its objects soon after, by a job of the same transaction."""
    async with open_api(imaging_url=imaging_url, jobs_concurrency=1) as api:
        person = await register(api)
        deleted, kept = [(await person.upload(PICTURE)).json()["image"]["id"] for _ in range(2)]
        assert len(files(store_root, *owner_of(tenant, deleted))) == 6
        await api.delete(f"/images/{deleted}", headers=person.key)
        await eventually(lambda: not files(store_root, *owner_of(tenant, deleted)), within=15, why="objects go")
        assert len(files(store_root, *owner_of(tenant, kept))) == 6


async def test_a_rolled_back_delete_leaves_no_job(ada: Person, tenant: TenantDatabase) -> None:
    """A job exists if, and only if, its transaction commits."""
    image = (await ada.upload(PICTURE)).json()["image"]["id"]
    context = context_of(ada.client)
    workspace, image_id = owner_of(tenant, image)
    caller = await _principal(context, ada)
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with context.database.transaction(workspace) as session:
            await service.delete_image(session, context.jobs, caller, image)
            raise RuntimeError("changed my mind")
    jobs = "SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'image' = %s"
    assert tenant.query(jobs, str(image_id)) == [(0,)]
    await ada.client.delete(f"/images/{image}", headers=ada.key)
    assert tenant.query(jobs, str(image_id)) == [(1,)]


async def _principal(context: AppContext, person: Person) -> Principal:
    authenticator = Authenticator(context.database, context.tokens, context.digest, context.clock)
    principal, _ = await authenticator.by_api_key(person.key["X-API-Key"])
    return principal


async def test_a_late_delete_job_spares_a_live_picture(ada: Person, tenant: TenantDatabase, store_root: Path) -> None:
    """The job looks again before it removes: a picture that lives keeps its objects."""
    owner = owner_of(tenant, (await ada.upload(PICTURE)).json()["image"]["id"])
    context = context_of(ada.client)
    await delete_objects(context.database, context.store, workspace=str(owner[0]), image=str(owner[1]))
    assert len(files(store_root, *owner)) == 6


async def test_the_sweep_removes_old_orphans_only(ada: Person, tenant: TenantDatabase, store_root: Path) -> None:
    """Objects that no picture owns go once they are old; young ones, which may be an upload under way, and those of
    pictures stay.
    """
    workspace, live = owner_of(tenant, (await ada.upload(PICTURE)).json()["image"]["id"])
    context = context_of(ada.client)
    old, young = uuid7(), uuid7()
    for image in (old, young):
        await context.store.put(object_keys.original(workspace, image, "0" * 64), b"x", content_type="image/jpeg")
    for path in [*files(store_root, workspace, old), *files(store_root, workspace, live)]:
        os.utime(path, (time.time() - 7200,) * 2)
    await OrphanSweep(context.database, context.store, context.metrics, context.clock, timedelta(hours=1)).run()
    assert [len(files(store_root, workspace, image)) for image in (old, young, live)] == [0, 1, 6]


async def test_views_are_rolled_up_once(ada: Person, tenant: TenantDatabase) -> None:
    """Each event reaches its picture and its day once, also when several processes roll up at once (000-D5)."""
    image = (await ada.upload(PICTURE)).json()["image"]["id"]
    _, image_id = owner_of(tenant, image)
    tenant.query(
        "INSERT INTO view_events (image_id, viewed_at, bytes, status)"
        " SELECT %s, '2026-01-05T12:00Z', 10, CASE WHEN n %% 10 = 0 THEN 404 ELSE 200 END"
        " FROM generate_series(1, 1000) n",
        image_id,
    )
    context = context_of(ada.client)
    await asyncio.gather(*(roll_up_views(context.database) for _ in range(5)))
    assert tenant.query("SELECT views FROM images WHERE id = %s", image_id) == [(900,)]
    day = "SELECT views_count, bandwidth_used FROM usage_daily WHERE day = '2026-01-05' AND workspace_id = %s"
    assert tenant.query(day, owner_of(tenant, image)[0]) == [(900, 10_000)]
    (shown,) = (await ada.client.get("/images", headers=ada.key)).json()["data"]
    assert shown["views"] == 900


async def test_expired_rows_go(ada: Person, tenant: TenantDatabase) -> None:
    """Idempotency keys, sign-in counters, rate windows and counted events go when their time is over; what windows
    counted of a key stays with the key.
    """
    await ada.upload(PICTURE, **{"Idempotency-Key": "old"})
    await ada.upload(PICTURE, **{"Idempotency-Key": "new"})
    mine = "WHERE workspace_id = (SELECT workspace_id FROM memberships WHERE user_id = %s)"
    tenant.query(f"UPDATE idempotency_keys SET expires_at = now() - interval '1 s' {mine} AND key = 'old'", ada.id)
    tenant.query("UPDATE rate_windows SET window_start = window_start - interval '1 day'")
    tenant.query(
        "INSERT INTO view_events (image_id, viewed_at, status, counted)"
        " VALUES (%s, now() - interval '91 days', 200, true)",
        UUID(int=77),
    )
    context = context_of(ada.client)
    for _ in range(2):
        await delete_expired_keys(context.database)
        await delete_expired_attempts(context.database, timedelta(minutes=15))
        await delete_expired_views(context.database, timedelta(days=90))
        await fold_rate_windows(context.database)
    assert tenant.query(f"SELECT key FROM idempotency_keys {mine}", ada.id) == [("new",)]
    assert tenant.query("SELECT count(*) FROM view_events WHERE image_id = %s", UUID(int=77)) == [(0,)]
    assert tenant.query("SELECT requests_count FROM api_keys WHERE user_id = %s", ada.id) == [(2,)]


async def test_a_killed_workers_job_runs_again(
    open_api: Any, imaging_url: str, tenant: TenantDatabase, store_root: Path
) -> None:
    """A job whose worker died is found and run by another."""
    async with open_api(imaging_url=imaging_url, jobs_concurrency=1) as api:
        person = await register(api)
        image = (await person.upload(PICTURE)).json()["image"]["id"]
        workspace, image_id = owner_of(tenant, image)
        tenant.query("UPDATE images SET deleted_at = now() WHERE id = %s", image_id)
        tenant.query(
            "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)"
            "              VALUES (now() - interval '1 hour') RETURNING id)"
            " INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, worker_id)"
            " SELECT 'default', 'delete_objects', jsonb_build_object('workspace', %s::text, 'image', %s::text),"
            " 'doing', id FROM dead",
            str(workspace),
            str(image_id),
        )

        async def retried() -> None:
            await context_of(api).jobs._retry_stalled()

        await eventually(retried, ignoring=(AppNotOpen,), why="the worker is open")
        await eventually(lambda: not files(store_root, workspace, image_id), within=15, why="the job runs again")


async def test_a_failing_job_is_counted_and_retried(open_api: Any, tenant: TenantDatabase) -> None:
    """A job that fails is counted as failed and kept for another try."""
    async with open_api(jobs_concurrency=1) as api:
        context = context_of(api)
        async with context.database.transaction("all workspaces") as session:
            await context.jobs.enqueue(session, "delete_objects", workspace="no id", image="no id")
        waiting = "SELECT attempts FROM procrastinate_jobs WHERE args ->> 'image' = 'no id' AND status = 'todo'"
        await eventually(lambda: tenant.query(waiting) in ([(1,)], [(2,)]), within=15, why="it waits for a retry")
        failed = context.metrics.jobs.labels("delete_objects", "failed")
        assert failed._value.get() >= 1
        tenant.query("DELETE FROM procrastinate_jobs WHERE args ->> 'image' = 'no id'")
