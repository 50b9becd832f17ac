"""Views are counted once; what is old is removed."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from imghost_api.accounts.sessions.jobs import delete_expired_attempts
from imghost_api.analytics.jobs import roll_up_views
from imghost_api.api_keys.jobs import fold_rate_windows
from imghost_api.worker_context import WorkerContext
from support import sample_images
from support.api import Person, TenantDatabase
from support.eventually import eventually
from support.jobs import periodic_jobs

IMAGE = sample_images.photo(64, 48)
MINE = "WHERE workspace_id = (SELECT workspace_id FROM memberships WHERE user_id = %s)"


@pytest.mark.requirement("000-D5")
async def test_views_are_rolled_up_once(ada: Person, worker_context: WorkerContext, tenant: TenantDatabase) -> None:
    """Each event reaches its image and its day once, also when several processes roll up in parallel."""
    image = (await ada.upload(IMAGE)).json()["image"]["id"]
    ((workspace, image_id),) = tenant.query("SELECT workspace_id, id FROM images WHERE public_id = %s", image)
    tenant.query(
        "INSERT INTO view_events (image_id, viewed_at, bytes, status)"
        " SELECT %s, '2026-01-05T12:00Z', 10, CASE WHEN n %% 10 = 0 THEN 404 ELSE 200 END"
        " FROM generate_series(1, 1000) n",
        image_id,
    )
    await asyncio.gather(*(roll_up_views(worker_context.database) for _ in range(5)))
    assert tenant.query("SELECT views FROM images WHERE id = %s", image_id) == [(900,)]
    day = "SELECT views_count, bandwidth_used FROM usage_daily WHERE day = '2026-01-05' AND workspace_id = %s"
    assert tenant.query(day, workspace) == [(900, 10_000)]
    (shown,) = (await ada.client.get("/images", headers=ada.key)).json()["data"]
    assert shown["views"] == 900


async def test_views_are_rolled_up_by_a_worker(ada: Person, open_worker: Any, tenant: TenantDatabase) -> None:
    """A running worker rolls up views every minute, without anybody asking for it."""
    image = (await ada.upload(IMAGE)).json()["image"]["id"]
    tenant.query(
        "INSERT INTO view_events (image_id, viewed_at, bytes, status)"
        " SELECT id, now(), 10, 200 FROM images WHERE public_id = %s",
        image,
    )
    tenant.query("DELETE FROM procrastinate_periodic_defers")  # another worker may have had its run of this minute
    async with open_worker():
        views = "SELECT views FROM images WHERE public_id = %s"
        await eventually(lambda: tenant.query(views, image) == [(1,)], within=70, why="the view is counted")


@pytest.mark.parametrize("days", [3, 90])
async def test_old_view_events_are_removed(worker_context: WorkerContext, tenant: TenantDatabase, days: int) -> None:
    """Counted view events are removed after ANALYTICS_RETENTION_DAYS; young ones and uncounted ones stay."""
    owner = uuid4()
    tenant.query(
        "INSERT INTO view_events (image_id, viewed_at, status, counted)"
        " SELECT %s, now() - age * interval '1 day', status, counted"
        " FROM (VALUES (%s, 200, true), (%s, 201, true), (0, 202, true), (%s, 203, false)) e (age, status, counted)",
        *(owner, days + 1, days - 1, days + 1),
    )
    await periodic_jobs(worker_context, analytics_retention_days=days)["delete_expired_views"].run()
    left = "SELECT status FROM view_events WHERE image_id = %s ORDER BY status"
    assert tenant.query(left, owner) == [(201,), (202,), (203,)]


async def test_past_rate_windows_are_folded_into_keys(
    ada: Person, worker_context: WorkerContext, tenant: TenantDatabase
) -> None:
    """Rate windows of past hours are removed; what they counted of a key stays with the key, once."""
    for _ in range(2):
        await ada.upload(IMAGE)
    tenant.query("UPDATE rate_windows SET window_start = window_start - interval '1 day'")
    await fold_rate_windows(worker_context.database)
    await fold_rate_windows(worker_context.database)
    assert tenant.query("SELECT requests_count FROM api_keys WHERE user_id = %s", ada.id) == [(2,)]


async def test_old_sign_in_counters_are_removed(worker_context: WorkerContext, tenant: TenantDatabase) -> None:
    """Counters of failed sign-ins are removed after a day, longer than any window."""
    tenant.query(
        "INSERT INTO login_attempts (subject, failures, first_at)"
        " VALUES ('old', 3, now() - interval '25 hours'), ('new', 4, now() - interval '23 hours')"
    )
    await delete_expired_attempts(worker_context.database)
    left = "SELECT failures FROM login_attempts WHERE subject IN ('old', 'new')"
    assert tenant.query(left) == [(4,)]
