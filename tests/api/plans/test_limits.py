"""Limits hold exactly, whatever runs side by side, and say when they end."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from support import sample_images
from support.api import Person, TenantDatabase, problem, register

IMAGE = sample_images.photo(48, 32)


def workspace_of(tenant: TenantDatabase, person: Person) -> str:
    return str(tenant.query("SELECT workspace_id FROM memberships WHERE user_id = %s", person.id)[0][0])


def custom_plan(tenant: TenantDatabase, person: Person, **limits: int) -> None:
    """Put the person's workspace on a plan of their own: free, with some limits changed."""
    code = f"plan-{person.id}"
    tenant.query(
        "INSERT INTO plans SELECT %s, name, price_cents, uploads_per_day, requests_per_hour, storage_bytes,"
        " bandwidth_bytes_per_month, max_file_bytes, position FROM plans WHERE code = 'free'",
        code,
    )
    for column, value in limits.items():
        tenant.query(f"UPDATE plans SET {column} = %s WHERE code = %s", value, code)
    tenant.query("UPDATE workspaces SET plan_code = %s WHERE id = %s", code, workspace_of(tenant, person))


def counters_and_rows(tenant: TenantDatabase, person: Person) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """(uploads today, bytes stored) as counted, and as the rows say."""
    workspace = workspace_of(tenant, person)
    counted = tenant.query(
        "SELECT coalesce((SELECT uploads_count FROM usage_daily u WHERE u.workspace_id = w.id), 0), storage_used"
        " FROM workspaces w WHERE id = %s",
        workspace,
    )
    rows = tenant.query(
        "SELECT count(*), coalesce(sum(file_size) FILTER (WHERE deleted_at IS NULL), 0)"
        " FROM images WHERE workspace_id = %s",
        workspace,
    )
    return counted, rows


@pytest.mark.requirement("000-R12")
@pytest.mark.parametrize("limit", ["uploads_per_day", "storage_bytes"])
async def test_two_hundred_uploads_at_the_edge(
    open_api: Any, imaging_url: str, tenant: TenantDatabase, limit: str
) -> None:
    """Of 200 concurrent uploads with room for 20, exactly 20 succeed, the others get the limit's own problem, and the
    counters equal the rows.
    """
    room = 20
    async with open_api(imaging_url=imaging_url, upload_concurrency=200, database_timeout_seconds=60) as api:
        person = await register(api)
        value = room if limit == "uploads_per_day" else room * len(IMAGE) + len(IMAGE) // 2
        custom_plan(tenant, person, **{"uploads_per_day": 10_000, "requests_per_hour": 10_000, limit: value})
        responses = await asyncio.gather(*(person.upload(IMAGE) for _ in range(200)))
    refusal = (429, "daily_limit") if limit == "uploads_per_day" else (402, "storage_quota_exceeded")
    stored = [response for response in responses if response.status_code == 201]
    refused = [(response.status_code, response.json()["code"]) for response in responses if response.status_code != 201]
    assert len(stored) == room, refused[:3]
    assert set(refused) == {refusal}
    counted, rows = counters_and_rows(tenant, person)
    assert counted == rows == [(room, room * len(IMAGE))]


@pytest.mark.requirement("000-L9")
async def test_the_daily_limit_ends_at_midnight_utc(ada: Person, tenant: TenantDatabase) -> None:
    """The refusal's Retry-After leads to the next midnight of UTC, and yesterday's uploads do not count."""
    custom_plan(tenant, ada, uploads_per_day=1)
    assert (await ada.upload(IMAGE)).status_code == 201
    refused = await ada.upload(IMAGE)
    problem(refused, 429, "daily_limit")
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    assert abs(int(refused.headers["retry-after"]) - (midnight - now).total_seconds()) < 30
    tenant.query("UPDATE usage_daily SET day = day - 1 WHERE workspace_id = %s", workspace_of(tenant, ada))
    assert (await ada.upload(IMAGE)).status_code == 201


@pytest.mark.requirement("000-R15", "000-L9")
async def test_the_quota_has_limits_usage_and_reset(ada: Person) -> None:
    """The quota reply has the documented shape, in UTC, and follows uploads and deletions."""
    image = (await ada.upload(IMAGE)).json()["image"]["id"]
    quota = await ada.quota()
    assert (quota["plan"], quota["timezone"]) == ("free", "UTC")
    midnight = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)
    assert quota["uploads"] == {
        "limit": 100,
        "used": 1,
        "remaining": 99,
        "period": "day",
        "resets_at": midnight.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    gb = 10**9
    size = len(IMAGE)
    assert quota["storage"] == {"limit_bytes": gb, "used_bytes": size, "remaining_bytes": gb - size}
    assert quota["bandwidth"]["limit_bytes"] == 10 * gb
    assert (quota["requests"]["limit"], quota["requests"]["period"]) == (1000, "hour")
    assert (await ada.client.delete(f"/images/{image}", headers=ada.key)).status_code == 200
    after = await ada.quota()
    assert (after["storage"]["used_bytes"], after["uploads"]["used"]) == (0, 1)
    assert (await ada.client.get("/api/v1/upload/quota", headers=ada.token)).status_code == 200


async def test_the_quota_shows_the_bandwidth_of_this_month(ada: Person, tenant: TenantDatabase) -> None:
    """What was delivered last month is not in the quota reply, what was delivered today is."""
    insert = (
        "INSERT INTO usage_daily (workspace_id, day, bandwidth_used) VALUES"
        " (%s, date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 day', 7),"
        " (%s, (now() AT TIME ZONE 'UTC')::date, 5)"
    )
    tenant.query(insert, *[workspace_of(tenant, ada)] * 2)
    bandwidth = (await ada.quota())["bandwidth"]
    assert (bandwidth["used_bytes"], bandwidth["remaining_bytes"]) == (5, 10**10 - 5)


@pytest.mark.requirement("000-R14")
async def test_concurrent_deletions_release_the_bytes_once(ada: Person, tenant: TenantDatabase) -> None:
    """Of ten concurrent deletions of one image one succeeds, and its bytes are released once."""
    image = (await ada.upload(IMAGE)).json()["image"]["id"]
    await ada.upload(IMAGE)
    responses = await asyncio.gather(
        *(ada.client.delete(f"/api/v1/images/{image}", headers=ada.key) for _ in range(10))
    )
    assert sorted(response.status_code for response in responses) == [200, *[404] * 9]
    counted, rows = counters_and_rows(tenant, ada)
    assert counted == rows == [(2, len(IMAGE))]


async def new_key(person: Person, **wanted: Any) -> dict[str, Any]:
    response = await person.client.post("/api/v1/api-keys", headers=person.token, json={"key_name": "k", **wanted})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()["api_key"]
    return made


@pytest.mark.requirement("000-L4")
async def test_a_keys_hourly_limit_is_exact(api: httpx.AsyncClient) -> None:
    """Of 60 concurrent requests with a key of 25 per hour exactly 25 are allowed; the others learn when to retry."""
    person = await register(api)
    key = await new_key(person, rate_limit_per_hour=25)
    headers = {"X-API-Key": key["key"]}
    responses = await asyncio.gather(*(api.get("/images", headers=headers) for _ in range(60)))
    assert sorted(response.status_code for response in responses) == [200] * 25 + [429] * 35
    refused = await api.get("/images", headers=headers)
    problem(refused, 429, "rate_limited")
    left = 3600 - (datetime.now(UTC).minute * 60 + datetime.now(UTC).second)
    assert abs(int(refused.headers["retry-after"]) - left) < 30
    assert refused.headers["ratelimit-policy"] == '"key";q=25;w=3600'
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert (await api.get("/images", headers=person.key)).status_code == 200  # another key has its own limit
    listed = await api.get("/api/v1/api-keys", headers=person.token)
    counts = {row["id"]: row["requests_count"] for row in listed.json()["data"]}
    assert counts[key["id"]] == 25  # refused calls are not counted


async def test_the_plans_hourly_limit_binds_all_keys_together(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """More keys do not make more requests: the plan's limit counts them all, and tokens too."""
    person = await register(api)
    custom_plan(tenant, person, requests_per_hour=10)
    second = {"X-API-Key": (await new_key(person, rate_limit_per_hour=10))["key"]}
    responses = await asyncio.gather(
        *(api.get("/images", headers=headers) for headers in (person.key, second, person.token) for _ in range(6))
    )
    assert sorted(response.status_code for response in responses) == [200] * 10 + [429] * 8


async def test_rate_limit_headers_count_down(api: httpx.AsyncClient) -> None:
    """Both families of headers state what is left; the older one states the smallest remainder."""
    person = await register(api)
    headers = {"X-API-Key": (await new_key(person, rate_limit_per_hour=5))["key"]}
    first, second = [await api.get("/images", headers=headers) for _ in range(2)]
    assert first.headers["ratelimit-policy"] == '"plan";q=1000;w=3600, "key";q=5;w=3600'
    assert '"key";r=4;' in first.headers["ratelimit"]
    assert '"plan";r=998;' in second.headers["ratelimit"]
    assert [response.headers["x-ratelimit-remaining"] for response in (first, second)] == ["4", "3"]
    assert first.headers["x-ratelimit-limit"] == "5"
    assert int(first.headers["x-ratelimit-reset"]) % 3600 == 0


@pytest.mark.requirement("000-L4")
async def test_a_key_never_has_more_than_the_plan(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """A key above the plan's limit cannot be made, and one made before a downgrade is held to the new plan."""
    person = await register(api)
    body = {"key_name": "fast", "rate_limit_per_hour": 1001}
    document = problem(
        await api.post("/api/v1/api-keys", headers=person.token, json=body), 422, "rate_limit_above_plan"
    )
    assert document["errors"][0]["field"] == "rate_limit_per_hour"
    custom_plan(tenant, person, requests_per_hour=3)
    responses = [(await api.get("/images", headers=person.key)).status_code for _ in range(4)]
    assert responses == [200, 200, 200, 429]
