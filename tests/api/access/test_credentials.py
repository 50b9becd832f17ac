"""The one check that every credential passes."""

from contextlib import nullcontext

import httpx
import pytest

from imghost_api.access.credentials import Authenticator, require_valid
from imghost_api.access.errors import AccountBlocked, ApiKeyRevoked, InvalidApiKey, WorkspaceSuspended
from imghost_api.crypto.errors import InvalidToken
from imghost_api.db.system import all_workspaces
from support.api import PASSWORD, TenantDatabase, problem, register

_SUSPEND = (
    "UPDATE workspaces SET suspended_at = now() WHERE id = (SELECT workspace_id FROM memberships WHERE user_id = %s)"
)


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
    tenant.query(_SUSPEND, person.id)
    for headers in (person.key, person.token):
        problem(await api.get("/images", headers=headers), 403, "workspace_suspended")


async def test_rights_end_with_the_membership(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """A token and a key stop when their user is no longer a member: rights are looked up, not remembered."""
    person = await register(api)
    tenant.query("DELETE FROM memberships WHERE user_id = %s", person.id)
    problem(await api.get("/api/v1/account", headers=person.token), 401, "invalid_token")
    problem(await api.get("/images", headers=person.key), 401, "invalid_api_key")


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("ih_" + "A" * 38, "invalid_api_key"),
        ("nonsense", "invalid_api_key"),
        ("", "unauthorized"),
        ("ih_" + "\u00e9" * 38, "invalid_api_key"),
    ],
)
async def test_an_unknown_key_is_refused(api: httpx.AsyncClient, key: str, code: str) -> None:
    """A key that was never made is a 401, whatever it looks like."""
    response = await api.post("/upload", headers={"X-API-Key": key.encode()}, files={"file": b"x"})
    problem(response, 401, code)


async def test_no_credential_and_two_credentials_are_refused(api: httpx.AsyncClient) -> None:
    """Without a credential 401; with two of any kind 400, for they may be of different people."""
    person = await register(api)
    problem(await api.post("/upload", files={"file": b"x"}), 401, "unauthorized")
    (key,), (token,) = person.key.items(), person.token.items()
    for two in ([key, token], [key, ("Authorization", "Basic YTpi")], [key, key], [token, token]):
        document = problem(await api.get("/images", headers=two), 400, "ambiguous_credentials")
        assert document["detail"].startswith("Send one X-API-Key or one Authorization header")
        problem(await api.get("/api/v1/account", headers=two), 400, "ambiguous_credentials")
    problem(await api.get("/images", headers={"Authorization": "Basic YTpi"}), 401, "unauthorized")


@pytest.mark.parametrize(
    ("change", "by_key", "by_token"),
    [
        ("SELECT %s", None, None),
        ("UPDATE api_keys SET revoked_at = now() WHERE user_id = %s", ApiKeyRevoked, None),
        ("UPDATE api_keys SET is_active = false WHERE user_id = %s", ApiKeyRevoked, None),
        ("DELETE FROM api_keys WHERE user_id = %s", InvalidApiKey, None),
        ("UPDATE users SET is_blocked = true WHERE id = %s", AccountBlocked, AccountBlocked),
        (_SUSPEND, WorkspaceSuspended, WorkspaceSuspended),
        ("DELETE FROM memberships WHERE user_id = %s", InvalidApiKey, InvalidToken),
    ],
)
async def test_what_changed_while_a_request_ran_is_noticed(
    api: httpx.AsyncClient,
    tenant: TenantDatabase,
    change: str,
    by_key: type[Exception] | None,
    by_token: type[Exception] | None,
) -> None:
    """A request that was admitted has no effect if its key, user, workspace or membership ended since; what happens to
    others does not matter to it.
    """
    context = api.public.state.context  # type: ignore[attr-defined]
    admit = Authenticator(
        context.database, context.tokens, context.digest, context.clock, context.authentications, "192.0.2.1"
    )
    person, other = await register(api), await register(api)
    for change_of, rejections in ((other, (None, None)), (person, (by_key, by_token))):
        principals = [
            (await admit.by_api_key(person.key["X-API-Key"]))[0],
            (await admit.by_token(person.registration["token"], counted=False))[0],
        ]
        tenant.query(change, change_of.id)
        for principal, rejection in zip(principals, rejections, strict=True):
            async with all_workspaces(context.database) as session:
                with pytest.raises(rejection) if rejection else nullcontext():
                    await require_valid(session, principal)
