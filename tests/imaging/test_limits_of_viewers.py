"""What viewers may use: requests per second from an address, and the bandwidth of the owner's plan."""

import asyncio
import uuid
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from imghost_core.settings import StoreSettings
from support import sample_images
from support.api import problem
from support.eventually import eventually
from support.imaging import Imaging, ImagingDatabase, Stored, running


async def test_an_address_that_asks_too_often_is_slowed_down(tenant: ImagingDatabase, storage: StoreSettings) -> None:
    """After a burst an address gets 429 with Retry-After, for images as for guesses of their ids."""
    async with running(tenant, storage, requests_per_second_per_address=1) as imaging:
        statuses = [(await imaging.get(f"/i/{n:012}")).status_code for n in range(12)]
        assert statuses[:10] == [404] * 10
        refused = await imaging.get("/i/AAAAAAAAAAAA")
        problem(refused, 429, "rate_limited")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await imaging.public.get("/livez")).status_code == 200


async def test_addresses_take_turns_at_the_database(tenant: ImagingDatabase, storage: StoreSettings) -> None:
    """When the database is slow, an address that asks for much does not delay the request of another one for long."""
    order: list[str] = []

    async def ask(imaging: Imaging, address: str) -> None:
        assert imaging.app
        transport = httpx.ASGITransport(imaging.app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://imaging") as client:
            assert (await client.get("/i/AAAAAAAAAAAA")).status_code == 404
        order.append(address)

    async with (
        running(tenant, storage) as imaging,
        asyncio.TaskGroup() as tasks,
        await psycopg.AsyncConnection.connect(tenant.admin_url) as lock,
    ):
        await lock.execute("LOCK TABLE images IN ACCESS EXCLUSIVE MODE")
        for _ in range(50):
            tasks.create_task(ask(imaging, "192.0.2.1"))
        await eventually(lambda: waiting(tenant) == 5, why="half of the connections wait")
        tasks.create_task(ask(imaging, "192.0.2.2"))
    assert order.index("192.0.2.2") < 12


def waiting(tenant: ImagingDatabase) -> int:
    """How many statements of imaging wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return int(tenant.execute(query)[0][0])


@pytest.fixture
def plan(tenant: ImagingDatabase) -> Iterator[str]:
    """A plan of 1,000 bytes a month, which the workspace has until the test ends."""
    code = f"plan-{uuid.uuid4().hex}"
    before = tenant.execute("SELECT plan_code FROM workspaces WHERE id = %(id)s", {"id": tenant.workspace})[0][0]
    tenant.execute(
        "INSERT INTO plans SELECT %(code)s, name, price_cents, uploads_per_day, requests_per_hour, storage_bytes,"
        " 1000, max_file_bytes, position, 'wait' FROM plans WHERE code = 'free'",
        {"code": code},
    )
    move = "UPDATE workspaces SET plan_code = %(code)s WHERE id = %(id)s"
    tenant.execute(move, {"code": code, "id": tenant.workspace})
    yield code
    tenant.execute(move, {"code": before, "id": tenant.workspace})
    tenant.execute("DELETE FROM usage_daily WHERE workspace_id = %(id)s", {"id": tenant.workspace})


def use_bandwidth(tenant: ImagingDatabase, size: int, *, month: str = "this") -> None:
    """Count delivered bytes on the first day of this month (UTC), or on the last of the one before."""
    day = "date_trunc('month', now() AT TIME ZONE 'UTC')::date" + ("" if month == "this" else " - 1")
    tenant.execute(
        f"INSERT INTO usage_daily (workspace_id, day, bandwidth_used) VALUES (%(id)s, {day}, %(size)s)",
        {"id": tenant.workspace, "size": size},
    )


async def test_used_up_bandwidth_ends_deliveries_until_the_next_month(
    imaging: Imaging, photo: Stored, tenant: ImagingDatabase, plan: str
) -> None:
    """Below the limit, and with the bytes of another month, images are delivered; from the limit on they are a 429."""
    path = f"/i/{photo.public_id}"
    use_bandwidth(tenant, 5_000, month="last")
    await asyncio.to_thread(use_bandwidth, tenant, 999)
    assert (await imaging.get(path)).status_code == 200
    tag = (await imaging.public.head(path)).headers["etag"]
    tenant.execute("UPDATE usage_daily SET bandwidth_used = bandwidth_used + 1", {})
    for query in ("", "?size=thumb", "?download=true"):
        refused = await imaging.get(path + query, range="bytes=5-9")
        problem(refused, 429, "bandwidth_exceeded")
        assert 1 <= int(refused.headers["retry-after"]) <= 31 * 86_400 + 1
        assert refused.headers["cache-control"] == "no-store"
    assert (await imaging.public.head(path)).status_code == 429
    assert (await imaging.get(path, if_none_match=tag)).status_code == 304  # no bytes of the image
    assert (await imaging.get(f"/info/{photo.public_id}")).status_code == 200


async def test_a_plan_may_ask_for_payment_instead(
    imaging: Imaging, photo: Stored, tenant: ImagingDatabase, plan: str
) -> None:
    """With the policy `pay` the response is a 402."""
    tenant.execute("UPDATE plans SET bandwidth_policy = 'pay' WHERE code = %(code)s", {"code": plan})
    use_bandwidth(tenant, 1_000)
    problem(await imaging.get(f"/i/{photo.public_id}"), 402, "bandwidth_quota_exceeded")


async def test_other_workspaces_are_not_affected(imaging: Imaging, tenant: ImagingDatabase, plan: str) -> None:
    """Bytes of another workspace do not count."""
    stored = await imaging.upload(sample_images.png())
    other = uuid.uuid4()
    tenant.execute("INSERT INTO workspaces (id, name, plan_code) VALUES (%(id)s, 'Eve', 'free')", {"id": other})
    tenant.execute(
        "INSERT INTO usage_daily (workspace_id, day, bandwidth_used) VALUES (%(id)s, now(), 1000000000000)",
        {"id": other},
    )
    assert (await imaging.get(f"/i/{stored.public_id}")).status_code == 200
