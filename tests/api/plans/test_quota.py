"""The quota in a transaction: the last upload and the last byte are allowed, one more is not."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest

from imghost_api.db.engine import Database, Session
from imghost_api.plans import quota
from imghost_api.plans.errors import DailyLimitReached, StorageLimitReached
from imghost_api.plans.limits import PlanLimits
from support.api import TenantDatabase, register

NOW = datetime(2026, 3, 1, 23, 59, 58, 500_000, UTC)
LIMITS = PlanLimits(
    "tiny",
    uploads_per_day=2,
    requests_per_hour=10,
    storage_bytes=100,
    bandwidth_bytes_per_month=1000,
    max_file_bytes=100,
)
Open = Callable[[], AbstractAsyncContextManager[Session]]


@pytest.fixture
async def workspace(api: httpx.AsyncClient, tenant: TenantDatabase) -> UUID:
    """A workspace that has used nothing, next to another one that has."""
    own, other = (await register(api)).id, (await register(api)).id
    found = tenant.query(
        "SELECT workspace_id FROM memberships WHERE user_id IN (%s, %s) ORDER BY user_id = %s", own, other, own
    )
    (theirs,), (mine,) = found
    tenant.query("UPDATE workspaces SET storage_used = 90 WHERE id = %s", theirs)
    tenant.query("INSERT INTO usage_daily (workspace_id, day, uploads_count) VALUES (%s, %s, 2)", theirs, NOW.date())
    return UUID(str(mine))


@pytest.fixture
async def transact(api: httpx.AsyncClient, workspace: UUID) -> Open:
    """Open a transaction of the workspace."""
    database: Database = api.public.state.context.database  # type: ignore[attr-defined]
    return lambda: database.transaction(workspace)


async def test_the_last_byte_is_reserved_and_one_more_is_not(
    transact: Open, workspace: UUID, tenant: TenantDatabase
) -> None:
    """Storage fills up to its limit exactly; a refusal names limit and plan, and counts nothing."""
    async with transact() as session:
        await quota.reserve_quota(session, workspace, LIMITS, size=60, now=NOW)
    for act in (quota.check_quota, quota.reserve_quota):
        with pytest.raises(StorageLimitReached, match="100 bytes of the plan 'tiny'"):
            async with transact() as session:
                await act(session, workspace, LIMITS, size=41, now=NOW)
    async with transact() as session:
        await quota.check_quota(session, workspace, LIMITS, size=40, now=NOW)
        await quota.reserve_quota(session, workspace, LIMITS, size=40, now=NOW)
    stored = "SELECT storage_used, (SELECT sum(uploads_count) FROM usage_daily WHERE workspace_id = w.id)"
    assert tenant.query(f"{stored} FROM workspaces w WHERE id = %s", workspace) == [(100, 2)]


async def test_the_last_upload_of_a_day_is_reserved_and_one_more_is_not(transact: Open, workspace: UUID) -> None:
    """Uploads are counted up to the day's limit exactly; a refusal says how many seconds are left of the day, rounded
    up, and the next day begins at zero.
    """
    for _ in range(2):
        async with transact() as session:
            await quota.check_quota(session, workspace, LIMITS, size=1, now=NOW)
            await quota.reserve_quota(session, workspace, LIMITS, size=1, now=NOW)
    for act in (quota.check_quota, quota.reserve_quota):
        with pytest.raises(DailyLimitReached, match="2 uploads per day of the plan 'tiny'") as refused:
            async with transact() as session:
                await act(session, workspace, LIMITS, size=1, now=NOW)
        assert refused.value.retry_after == 2
    async with transact() as session:
        await quota.reserve_quota(session, workspace, LIMITS, size=1, now=NOW.replace(month=4))


async def test_nothing_is_left_of_a_plan_that_became_smaller(transact: Open, workspace: UUID) -> None:
    """Beyond a limit, what is left is reported as 0, never as less."""
    async with transact() as session:
        await quota.reserve_quota(session, workspace, LIMITS, size=70, now=NOW)
        await quota.reserve_quota(session, workspace, LIMITS, size=5, now=NOW)
        smaller = replace(LIMITS, uploads_per_day=1, storage_bytes=50)
        used = await quota.read_usage(session, workspace, smaller, now=NOW)
    assert (used.uploads.used, used.uploads.remaining) == (2, 0)
    assert (used.storage.used_bytes, used.storage.remaining_bytes) == (75, 0)
    assert (used.requests.used, used.requests.remaining) == (0, 10)
    assert used.requests.resets_at == used.uploads.resets_at == datetime(2026, 3, 2, tzinfo=UTC)


async def test_a_deletion_gives_back_its_bytes_and_no_upload(
    transact: Open, workspace: UUID, tenant: TenantDatabase
) -> None:
    """Released bytes can be used again by the same workspace; the day's uploads stay counted."""
    async with transact() as session:
        await quota.reserve_quota(session, workspace, LIMITS, size=100, now=NOW)
        await quota.release_storage(session, workspace, size=30)
        await quota.check_quota(session, workspace, LIMITS, size=30, now=NOW)
        used = await quota.read_usage(session, workspace, LIMITS, now=NOW)
    assert (used.storage.used_bytes, used.uploads.used) == (70, 1)
    assert tenant.query("SELECT count(*) FROM workspaces WHERE storage_used = 90 AND id <> %s", workspace)[0][0] > 0
