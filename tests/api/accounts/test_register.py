"""Registration."""

import asyncio
from typing import Any

import httpx
import pytest

from support.api import PASSWORD, TenantDatabase, client_from, names, problem, register


@pytest.mark.requirement("000-R1", "000-F1", "003-6")
async def test_registration_gives_a_token_a_key_and_the_free_plan(
    api: httpx.AsyncClient, tenant: TenantDatabase
) -> None:
    """Registering makes a user with a workspace on the free plan and returns a token and a first key."""
    person = await register(api)
    user = person.registration["user"]
    assert {name: user[name] for name in ("first_name", "last_name", "username", "email")} == {
        name: person.names[name] for name in ("first_name", "last_name", "username", "email")
    }
    assert (user["plan_type"], user["upload_limit_per_day"], user["storage_used"]) == ("free", 100, 0)
    assert (user["is_admin"], user["is_verified"], user["delete_scheduled_for"]) == (False, False, None)
    assert person.registration["success"] is True
    assert person.registration["token_type"] == "Bearer"
    assert person.registration["api_key"]["key"].startswith("ih_")
    assert (await api.get("/images", headers=person.key)).status_code == 200
    ((stored,),) = tenant.query("SELECT password_hash FROM users WHERE id = %s", person.id)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_last_name_may_be_left_out(api: httpx.AsyncClient) -> None:
    """A user without a last name can register."""
    wanted = names()
    del wanted["last_name"]
    assert (await api.post("/api/v1/auth/register", json=wanted)).json()["user"]["last_name"] is None


async def test_no_cache_may_store_the_first_key(api: httpx.AsyncClient) -> None:
    """The response that shows the token and the key forbids every cache to store it."""
    response = await api.post("/api/v1/auth/register", json=names())
    assert (response.status_code, response.headers["cache-control"]) == (201, "no-store")


@pytest.mark.parametrize("field", ["email", "username"])
async def test_a_name_in_use_is_refused(api: httpx.AsyncClient, field: str) -> None:
    """A second account with the same e-mail or user name, in any case, is a 409 that names the field."""
    person = await register(api)
    wanted = {**names(), field: person.names[field].upper()}
    document = problem(await api.post("/api/v1/auth/register", json=wanted), 409, f"{field}_taken")
    assert document["errors"][0]["field"] == field


async def test_racing_registrations_make_one_account(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """Of ten registrations with the same names, sent concurrently, one succeeds, and nothing is left of the others."""
    wanted = names()
    before = tenant.query("SELECT count(*) FROM workspaces")[0][0]
    responses = await asyncio.gather(*(api.post("/api/v1/auth/register", json=wanted) for _ in range(10)))
    assert sorted(response.status_code for response in responses) == [201, *[409] * 9]
    assert tenant.query("SELECT count(*) FROM users WHERE email = %s", wanted["email"]) == [(1,)]
    assert tenant.query("SELECT count(*) FROM workspaces")[0][0] == before + 1


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"email": "not an address"}, "email"),
    ({"email": None}, "email"),
    ({"password": "short"}, "password"),
    ({"password": "x" * 129}, "password"),
    ({"username": "has space"}, "username"),
    ({"username": "a@b.example"}, "username"),
    ({"username": "ab"}, "username"),
    ({"first_name": ""}, "first_name"),
    ({"first_name": "two\nlines"}, "first_name"),
    ({"first_name": "hidden\u202eleft"}, "first_name"),
    ({"first_name": "nul\x00"}, "first_name"),
    ({"is_admin": True}, "is_admin"),
    ({"plan_type": "enterprise"}, "plan_type"),
]


@pytest.mark.parametrize(("change", "field"), BAD_FIELDS)
async def test_a_bad_field_is_named(api: httpx.AsyncClient, change: dict[str, Any], field: str) -> None:
    """A registration with a bad or unknown field is a 400 that names it and repeats no value."""
    wanted = {**names(), "password": PASSWORD, **change}
    document = problem(await api.post("/api/v1/auth/register", json=wanted), 400, "invalid_request")
    assert [error["field"] for error in document["errors"]] == [field]
    assert field in document["detail"]


@pytest.mark.requirement("000-W8")
async def test_times_are_utc_with_z(api: httpx.AsyncClient) -> None:
    """Times are ISO 8601 in UTC and end in Z."""
    person = await register(api)
    assert person.registration["user"]["created_at"].endswith("Z")
    assert person.registration["api_key"]["created_at"].endswith("Z")


async def test_registrations_are_limited_by_address(open_api: Any) -> None:
    """An address has 3 registrations per hour here, also if they fail; another address is not affected."""
    async with (
        open_api(address="192.0.2.77", registrations_per_address=3) as api,
        client_from(api.front, "192.0.2.78") as other,
    ):
        person = await register(api)
        taken = {**names(), "email": person.names["email"]}
        problem(await api.post("/api/v1/auth/register", json=taken), 409, "email_taken")
        await register(api)
        refused = await api.post("/api/v1/auth/register", json=taken)
        assert "network address" in problem(refused, 429, "rate_limited")["detail"]
        assert 1 <= int(refused.headers["retry-after"]) <= 3601
        assert refused.headers["ratelimit-policy"] == '"address";q=3;w=3600'
        await register(other)


async def test_registrations_are_limited_in_all(open_api: Any, tenant: TenantDatabase) -> None:
    """All addresses together have a limit too."""
    async with open_api(address="192.0.2.79", api_key_pepper="another pepper, so that counting begins at 0") as api:
        await register(api)
    ((used,),) = tenant.query("SELECT max(used) FROM rate_windows WHERE used = 1")
    changes = {"api_key_pepper": "another pepper, so that counting begins at 0", "registrations_in_all": used + 1}
    async with open_api(address="192.0.2.80", **changes) as api, client_from(api.front, "192.0.2.81") as other:
        await register(api)
        refused = await other.post("/api/v1/auth/register", json=names())
        assert "this service" in problem(refused, 429, "rate_limited")["detail"]
