"""The one check that every credential passes."""

import httpx
import pytest

from support.api import PASSWORD, TenantDatabase, problem, register


async def test_an_api_key_is_not_a_sign_in(api: httpx.AsyncClient) -> None:
    """Account and key management ask for a token; a leaked key cannot make more keys."""
    person = await register(api)
    for method, path in [("GET", "/api/v1/account"), ("GET", "/api/v1/api-keys"), ("POST", "/api/v1/api-keys")]:
        response = await api.request(method, path, headers=person.key, json={"key_name": "more"})
        problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"


async def test_blocking_stops_every_credential(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """A blocked user's token, keys and password all stop immediately, and work again when unblocked."""
    person = await register(api)
    login = {"identifier": person.names["email"], "password": PASSWORD}
    tenant.query("UPDATE users SET is_blocked = true WHERE id = %s", person.id)
    for response in (
        await api.get("/api/v1/account", headers=person.token),
        await api.get("/images", headers=person.token),
        await api.get("/images", headers=person.key),
        await api.post("/upload", headers=person.key, files={"file": b"x"}),
        await api.post("/api/v1/auth/login", json=login),
    ):
        problem(response, 403, "account_blocked")
    tenant.query("UPDATE users SET is_blocked = false WHERE id = %s", person.id)
    assert (await api.get("/images", headers=person.key)).status_code == 200


@pytest.mark.requirement("002-J2")
async def test_a_suspended_workspace_is_refused(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """No credential works in a suspended workspace."""
    person = await register(api)
    tenant.query(
        "UPDATE workspaces SET suspended_at = now()"
        " WHERE id = (SELECT workspace_id FROM memberships WHERE user_id = %s)",
        person.id,
    )
    for headers in (person.key, person.token):
        problem(await api.get("/images", headers=headers), 403, "workspace_suspended")


async def test_rights_end_with_the_membership(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """A token and a key stop when their user is no longer a member: rights are looked up, not remembered."""
    person = await register(api)
    tenant.query("DELETE FROM memberships WHERE user_id = %s", person.id)
    problem(await api.get("/api/v1/account", headers=person.token), 401, "invalid_token")
    problem(await api.get("/images", headers=person.key), 401, "invalid_api_key")
