"""API keys: shown once, stored as a hash, revocable."""

import asyncio
import hashlib
import hmac

import httpx
import pytest

from imghost_core.ids import is_api_key
from support.api import PEPPER, TenantDatabase, problem, register


@pytest.mark.requirement("000-R8", "000-R9", "000-R10", "000-W3")
async def test_a_key_is_made_listed_used_and_revoked(api: httpx.AsyncClient) -> None:
    """A key's whole life."""
    person = await register(api)
    body = {"key_name": "laptop", "rate_limit_per_hour": 50}
    response = await api.post("/api/v1/api-keys", headers=person.token, json=body)
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    made = response.json()["api_key"]
    key = made.pop("key")
    assert is_api_key(key)
    assert (key[:7], key[-4:]) == (made["prefix"], made["last_four"])
    listed = (await api.get("/api/v1/api-keys", headers=person.token)).json()
    assert listed["success"] is True
    assert [row["key_name"] for row in listed["data"]] == ["laptop", "First key"]
    assert listed["data"][0] == made
    assert key not in str(listed)
    used = {"X-API-Key": key}
    assert (await api.get("/images", headers=used)).status_code == 200
    revoked = await api.delete(f"/api/v1/api-keys/{made['id']}", headers=person.token)
    assert revoked.json() == {"success": True, "id": made["id"]}
    problem(await api.get("/images", headers=used), 401, "key_revoked")
    assert len((await api.get("/api/v1/api-keys", headers=person.token)).json()["data"]) == 1
    problem(await api.delete(f"/api/v1/api-keys/{made['id']}", headers=person.token), 404, "key_not_found")


@pytest.mark.requirement("000-D2")
async def test_only_a_keyed_hash_is_stored(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """The database holds the key's HMAC under the pepper, and nowhere the key itself."""
    person = await register(api)
    key = person.key["X-API-Key"]
    ((stored,),) = tenant.query("SELECT key_hmac FROM api_keys WHERE user_id = %s", person.id)
    assert bytes(stored) == hmac.digest(PEPPER.encode(), key.encode(), hashlib.sha256)
    ((whole,),) = tenant.query("SELECT string_agg(k::text, ' ') FROM api_keys k")
    assert key not in whole
    assert key[3:-4] not in whole


async def test_last_use_is_written_at_most_once_a_minute(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """Many concurrent requests write the time of last use once."""
    person = await register(api)
    row = "SELECT last_used_at, xmin::text FROM api_keys WHERE user_id = %s"
    await asyncio.gather(*(api.get("/images", headers=person.key) for _ in range(20)))
    first = tenant.query(row, person.id)
    await api.get("/images", headers=person.key)
    assert tenant.query(row, person.id) == first
    assert first[0][0] is not None
    tenant.query("UPDATE api_keys SET last_used_at = last_used_at - interval '2 minutes' WHERE user_id = %s", person.id)
    await api.get("/images", headers=person.key)
    assert tenant.query(row, person.id)[0][0] >= first[0][0]


async def test_only_the_used_key_is_shown_as_used(api: httpx.AsyncClient) -> None:
    """The time of last use is that of the key of the request; other keys of the workspace keep theirs."""
    person = await register(api)
    response = await api.post("/api/v1/api-keys", headers=person.token, json={"key_name": "unused"})
    assert response.status_code == 201
    await api.get("/images", headers=person.key)
    listed = (await api.get("/api/v1/api-keys", headers=person.token)).json()["data"]
    assert {row["key_name"]: row["last_used_at"] is not None for row in listed} == {"unused": False, "First key": True}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "key_name"),
        ({"key_name": ""}, "key_name"),
        ({"key_name": "a\nb"}, "key_name"),
        ({"key_name": "k", "rate_limit_per_hour": 0}, "rate_limit_per_hour"),
        ({"key_name": "k", "rate_limit_per_hour": "many"}, "rate_limit_per_hour"),
        ({"key_name": "k", "user_id": "x"}, "user_id"),
    ],
)
async def test_a_bad_key_request_names_the_field(api: httpx.AsyncClient, body: dict[str, object], field: str) -> None:
    """A malformed request for a key is a 400 that names the field."""
    person = await register(api)
    document = problem(await api.post("/api/v1/api-keys", headers=person.token, json=body), 400, "invalid_request")
    assert document["errors"][0]["field"] == field


async def test_a_malformed_key_id_is_a_400(api: httpx.AsyncClient) -> None:
    """An id that is no UUID is a 400 that names it."""
    person = await register(api)
    document = problem(await api.delete("/api/v1/api-keys/abc", headers=person.token), 400, "invalid_request")
    assert document["errors"][0]["field"] == "key_id"


async def test_the_number_of_keys_is_bounded(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """A workspace has at most 100 working keys, also when the last ones are requested concurrently."""
    person = await register(api)
    tenant.query(
        "INSERT INTO api_keys (id, workspace_id, user_id, key_name, prefix, last_four, key_hmac, rate_limit_per_hour)"
        " SELECT gen_random_uuid(), workspace_id, user_id, 'k', 'ih_', 'abcd', sha256(n::text::bytea || key_hmac), 1"
        " FROM api_keys, generate_series(1, 97) n WHERE user_id = %s",
        person.id,
    )
    made = await asyncio.gather(
        *(api.post("/api/v1/api-keys", headers=person.token, json={"key_name": "k"}) for _ in range(6))
    )
    assert sorted(response.status_code for response in made) == [201, 201, 409, 409, 409, 409]


async def test_keys_of_another_workspace_are_not_found(api: httpx.AsyncClient) -> None:
    """A key of another workspace does not exist for us (404), and goes on working."""
    ada, eve = await register(api), await register(api)
    theirs = ada.registration["api_key"]["id"]
    problem(await api.delete(f"/api/v1/api-keys/{theirs}", headers=eve.token), 404, "key_not_found")
    assert theirs not in (await api.get("/api/v1/api-keys", headers=eve.token)).text
    assert (await api.get("/images", headers=ada.key)).status_code == 200


ALL_SCOPES = ["images:read", "images:write", "images:delete", "quota:read"]


async def test_a_key_without_scopes_in_the_request_gets_all_of_them(api: httpx.AsyncClient) -> None:
    """The first key of an account and a key created without `scopes` have every scope a key may have."""
    person = await register(api)
    response = await api.post("/api/v1/api-keys", headers=person.token, json={"key_name": "laptop"})
    assert response.json()["api_key"]["scopes"] == person.registration["api_key"]["scopes"] == ALL_SCOPES


async def test_a_key_is_limited_to_its_scopes(api: httpx.AsyncClient) -> None:
    """A key created with one scope lists it and uses it; the 403 for another names it and what to do."""
    person = await register(api)
    body = {"key_name": "reader", "scopes": ["images:read", "images:read"]}
    key = (await api.post("/api/v1/api-keys", headers=person.token, json=body)).json()["api_key"]
    listed = (await api.get("/api/v1/api-keys", headers=person.token)).json()["data"][0]
    assert key["scopes"] == listed["scopes"] == ["images:read"]
    headers = {"X-API-Key": key["key"]}
    assert (await api.get("/images", headers=headers)).status_code == 200
    document = problem(await api.delete("/images/abc", headers=headers), 403, "permission_denied")
    assert document["required_permission"] == "images:delete"
    assert "an API key created with the scope images:delete" in document["detail"]


@pytest.mark.parametrize("scopes", [[], ["keys:write"], ["images"], "images:read", None])
async def test_a_bad_scope_is_named(api: httpx.AsyncClient, scopes: object) -> None:
    """No scope, an unknown one, and a permission that no key may have are a 400 about the field."""
    person = await register(api)
    body = {"key_name": "laptop", "scopes": scopes}
    document = problem(await api.post("/api/v1/api-keys", headers=person.token, json=body), 400, "invalid_request")
    assert document["errors"][0]["field"].startswith("scopes")


async def test_a_key_loses_what_its_owner_loses(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """When the owner becomes a viewer, the key may only read, and the 403 names the roles that may do more."""
    person = await register(api)
    tenant.query("UPDATE memberships SET role = 'viewer' WHERE user_id = %s", person.id)
    assert (await api.get("/images", headers=person.key)).status_code == 200
    document = problem(await api.delete("/images/abc", headers=person.key), 403, "permission_denied")
    assert "one of these roles: owner, admin, member" in document["detail"]
