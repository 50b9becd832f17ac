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
from imghost_api.plans.quota import CountUsage
from imghost_api.plans.rate_limits import RateLimit, count_request
from support.api import TenantDatabase, register

NOW = datetime(2026, 3, 1, 23, 59, 58, 500_000, UTC)
LIMITS = PlanLimits(
    "tiny",
    uploads_per_day=2,
    requests_per_hour=10,
    storage_bytes=100,
    bandwidth_bytes_per_month=2000,
    max_file_bytes=100,
)
Open = Callable[[], AbstractAsyncContextManager[Session]]


@pytest.fixture
async def workspace(api: httpx.AsyncClient, tenant: TenantDatabase) -> UUID:
    """A workspace that has used nothing, next to one that has used something every day."""
    own, other = (await register(api)).id, (await register(api)).id
    found = tenant.query(
        "SELECT workspace_id FROM memberships WHERE user_id IN (%s, %s) ORDER BY user_id = %s", own, other, own
    )
    (theirs,), (mine,) = found
    tenant.query("UPDATE workspaces SET storage_used = 90 WHERE id = %s", theirs)
    tenant.query(
        "INSERT INTO usage_daily (workspace_id, day, uploads_count, bandwidth_used)"
        " SELECT %s, day, 2, 10000 FROM generate_series('2026-01-01'::date, '2026-12-31', '1 day') AS day",
        theirs,
    )
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
        with pytest.raises(StorageLimitReached) as refused:
            async with transact() as session:
                await act(session, workspace, LIMITS, size=41, now=NOW)
        assert refused.value.detail == (
            "This image would exceed the storage limit of 100 bytes of the plan 'tiny'. "
            "Delete images, or change to a larger plan."
        )
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
        with pytest.raises(DailyLimitReached) as refused:
            async with transact() as session:
                await act(session, workspace, LIMITS, size=1, now=NOW)
        assert refused.value.retry_after == 2
        assert refused.value.detail == (
            "The limit of 2 uploads per day of the plan 'tiny' is reached. "
            "Retry after midnight UTC, or change to a larger plan."
        )
    async with transact() as session:
        await quota.reserve_quota(session, workspace, LIMITS, size=1, now=NOW.replace(month=4))


async def test_what_is_used_and_left_is_reported(transact: Open, workspace: UUID) -> None:
    """Each limit is reported with what is used and what is left; beyond a limit 0 is left, never less."""
    async with transact() as session:
        await count_request(session, [RateLimit("plan", workspace, 10)], NOW)
        await quota.reserve_quota(session, workspace, LIMITS, size=70, now=NOW)
        await quota.reserve_quota(session, workspace, LIMITS, size=5, now=NOW)
        used = await quota.read_usage(session, workspace, LIMITS, now=NOW)
        smaller = replace(LIMITS, uploads_per_day=1, storage_bytes=50)
        beyond = await quota.read_usage(session, workspace, smaller, now=NOW)
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    assert used.plan == "tiny"
    assert (used.uploads, used.requests) == (CountUsage(2, 2, midnight), CountUsage(10, 1, midnight))
    assert (used.requests.remaining, used.storage.remaining_bytes) == (9, 25)
    assert (beyond.uploads.remaining, beyond.storage.remaining_bytes) == (0, 0)


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


DELIVERED = {"2026-02-28": 1, "2026-03-01": 10, "2026-03-31": 100, "2026-04-01": 1000}
"""Bytes delivered by day."""


@pytest.mark.parametrize(
    ("now", "used", "resets"),
    [
        ("2026-02-28T23:59:59Z", 1, "2026-03-01T00:00:00Z"),
        ("2026-03-01T00:00:00Z", 10, "2026-04-01T00:00:00Z"),
        ("2026-03-31T23:59:59Z", 110, "2026-04-01T00:00:00Z"),
        ("2026-04-30T12:00:00Z", 1000, "2026-05-01T00:00:00Z"),
        ("2026-12-31T12:00:00Z", 0, "2027-01-01T00:00:00Z"),
    ],
)
async def test_bandwidth_is_counted_by_month(
    transact: Open, workspace: UUID, tenant: TenantDatabase, now: str, used: int, resets: str
) -> None:
    """Bytes delivered count in the calendar month (UTC) of their day, and only those of the own workspace."""
    for day, sent in DELIVERED.items():
        insert = "INSERT INTO usage_daily (workspace_id, day, bandwidth_used) VALUES (%s, %s, %s)"
        tenant.query(insert, workspace, day, sent)
    async with transact() as session:
        usage = await quota.read_usage(session, workspace, LIMITS, now=datetime.fromisoformat(now))
    assert (usage.bandwidth.used_bytes, usage.bandwidth.resets_at) == (used, datetime.fromisoformat(resets))
    assert usage.bandwidth.remaining_bytes == 2000 - used
