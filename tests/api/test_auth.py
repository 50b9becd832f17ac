"""Registration, sign-in, account."""

import asyncio
import statistics
import time
from typing import Any

import httpx
import pytest
from pwdlib.hashers.bcrypt import BcryptHasher

from support.api import PASSWORD, TenantDatabase, names, problem, register


async def test_registration_gives_a_token_a_key_and_the_free_plan(
    api: httpx.AsyncClient, tenant: TenantDatabase
) -> None:
    """Registering makes a user with a workspace on the free plan and returns a token and a first key
    (000-R1, 000-F1, 003-6).
    """
    person = await register(api)
    user = person.answer["user"]
    assert {name: user[name] for name in ("first_name", "last_name", "username", "email")} == {
        name: person.names[name] for name in ("first_name", "last_name", "username", "email")
    }
    assert (user["plan_type"], user["upload_limit_per_day"], user["storage_used"]) == ("free", 100, 0)
    assert (user["is_admin"], user["is_verified"], user["delete_scheduled_for"]) == (False, False, None)
    assert person.answer["success"] is True
    assert person.answer["token_type"] == "Bearer"
    assert person.answer["api_key"]["key"].startswith("ih_")
    assert (await api.get("/images", headers=person.key)).status_code == 200
    ((stored,),) = tenant.query("SELECT password_hash FROM users WHERE id = %s", person.id)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_last_name_may_be_left_out(api: httpx.AsyncClient) -> None:
    """A user without a last name can register."""
    wanted = names()
    del wanted["last_name"]
    assert (await api.post("/api/v1/auth/register", json=wanted)).json()["user"]["last_name"] is None


@pytest.mark.parametrize("by", ["email", "username"])
@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/auth/login"])
async def test_sign_in_by_either_name(api: httpx.AsyncClient, by: str, path: str) -> None:
    """The right password signs in by e-mail and by user name, in any case, under both paths (000-R2; X6)."""
    person = await register(api)
    answer = await api.post(path, json={"identifier": person.names[by].upper(), "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    token = {"Authorization": f"Bearer {answer.json()['token']}"}
    account = await api.get("/api/v1/account", headers=token)
    assert account.json()["user"] == answer.json()["user"] == person.answer["user"]


@pytest.mark.parametrize("field", ["email", "username"])
async def test_a_name_in_use_is_refused(api: httpx.AsyncClient, field: str) -> None:
    """A second account with the same e-mail or user name, in any case, is a 409 that names the field."""
    person = await register(api)
    wanted = {**names(), field: person.names[field].upper()}
    told = problem(await api.post("/api/v1/auth/register", json=wanted), 409, f"{field}_taken")
    assert told["errors"][0]["field"] == field


async def test_racing_registrations_make_one_account(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """Of ten registrations with the same names at once one succeeds, and nothing is left of the others."""
    wanted = names()
    before = tenant.query("SELECT count(*) FROM workspaces")[0][0]
    answers = await asyncio.gather(*(api.post("/api/v1/auth/register", json=wanted) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 9]
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
    told = problem(await api.post("/api/v1/auth/register", json=wanted), 400, "invalid_request")
    assert [error["field"] for error in told["errors"]] == [field]
    assert field in told["detail"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b"", "required"),
        (b"\xff\xfe", "not JSON"),
        (b"[1, 2]", "dictionary"),
        (b'{"a":1,}', "JSON"),
    ],
)
async def test_malformed_json_is_told(api: httpx.AsyncClient, body: bytes, says: str) -> None:
    """A body that is not a JSON object is a 400 that says so."""
    answer = await api.post("/api/v1/auth/login", content=body, headers={"Content-Type": "application/json"})
    assert says.lower() in problem(answer, 400, "invalid_request")["detail"].lower()


async def test_deep_and_large_json_is_refused_cheaply(api: httpx.AsyncClient) -> None:
    """JSON of absurd depth or size is refused and harms nobody."""
    headers = {"Content-Type": "application/json"}
    deep = await api.post("/api/v1/auth/login", content=b"[" * 30_000, headers=headers)
    assert deep.status_code == 400
    large = await api.post("/api/v1/auth/login", content=b'{"identifier": "' + b"x" * 100_000 + b'"}', headers=headers)
    assert large.status_code == 413
    assert large.json()["success"] is False


async def test_wrong_password_and_unknown_name_look_the_same(api: httpx.AsyncClient) -> None:
    """The answers to a wrong password and to an unknown name differ in nothing but the request's id."""
    person = await register(api)
    told = []
    for identifier in (person.names["email"], "nobody@example.org"):
        answer = await api.post("/api/v1/auth/login", json={"identifier": identifier, "password": "wrong password"})
        document = problem(answer, 401, "invalid_credentials")
        told.append({name: value for name, value in document.items() if name != "request_id"})
    assert told[0] == told[1]


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(open_api: Any) -> None:
    """The medians of both times differ by less than half: the same hash is worked out (no enumeration by time)."""
    async with open_api(login_attempts=1000) as api:
        person = await register(api)

        async def seconds(identifier: str) -> float:
            began = time.perf_counter()
            await api.post("/api/v1/auth/login", json={"identifier": identifier, "password": "wrong password"})
            return time.perf_counter() - began

        pairs = [(await seconds(person.names["email"]), await seconds("nobody@example.org")) for _ in range(15)]
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert unknown > known / 2, (known, unknown)


async def test_failed_sign_ins_are_throttled_per_account(open_api: Any) -> None:
    """After the allowed failures every sign-in of that account waits, by either name and with the right password;
    side by side is no way around it, and other accounts are not held up.
    """
    async with open_api(login_attempts=5) as api:
        person, other = await register(api), await register(api)

        async def attempt(who: Any, by: str, password: str) -> httpx.Response:
            body = {"identifier": who.names[by], "password": password}
            answer: httpx.Response = await api.post("/api/v1/auth/login", json=body)
            return answer

        wrong = await asyncio.gather(*(attempt(person, by, "wrong") for by in ("email", "username") for _ in range(5)))
        assert sorted(answer.status_code for answer in wrong) == [401] * 5 + [429] * 5
        held = await attempt(person, "email", PASSWORD)
        problem(held, 429, "too_many_logins")
        assert 1 <= int(held.headers["retry-after"]) <= 901
        assert (await attempt(other, "email", PASSWORD)).status_code == 200


async def test_an_unknown_name_is_throttled_too(open_api: Any) -> None:
    """Throttling does not tell which names exist."""
    async with open_api(login_attempts=2) as api:
        body = {"identifier": names()["email"], "password": "wrong"}
        statuses = [(await api.post("/api/v1/auth/login", json=body)).status_code for _ in range(3)]
    assert statuses == [401, 401, 429]


async def test_the_throttle_ends_and_success_resets_it(open_api: Any, tenant: TenantDatabase) -> None:
    """A right password forgets earlier failures, and a window that is over counts no more."""
    async with open_api(login_attempts=2) as api:
        person = await register(api)

        async def attempt(password: str) -> int:
            body = {"identifier": person.names["email"], "password": password}
            answer: httpx.Response = await api.post("/api/v1/auth/login", json=body)
            return answer.status_code

        assert [await attempt(p) for p in ("wrong", PASSWORD, "wrong", "wrong", PASSWORD)] == [401, 200, 401, 401, 429]
        tenant.query("UPDATE login_attempts SET first_at = first_at - interval '1 hour'")
        assert await attempt(PASSWORD) == 200


async def test_bcrypt_hashes_verify_and_are_upgraded(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """An account brought along with a bcrypt hash signs in, and its hash is Argon2id from then on (000-S3)."""
    person = await register(api)
    long_password = "p" * 80  # bcrypt never looked beyond 72 bytes
    legacy = BcryptHasher(rounds=4).hash(long_password[:72])
    tenant.query("UPDATE users SET password_hash = %s WHERE id = %s", legacy, person.id)
    body = {"identifier": person.names["email"], "password": long_password}
    assert (await api.post("/api/v1/auth/login", json=body)).status_code == 200
    ((stored,),) = tenant.query("SELECT password_hash FROM users WHERE id = %s", person.id)
    assert stored.startswith("$argon2id$")
    assert (await api.post("/api/v1/auth/login", json=body)).status_code == 200
    shortened = {**body, "password": long_password[:72]}
    assert (await api.post("/api/v1/auth/login", json=shortened)).status_code == 401


async def test_the_account_can_be_changed(api: httpx.AsyncClient) -> None:
    """PUT changes the given fields and leaves the others (000-R5, 000-R6)."""
    person = await register(api)
    renamed = f"grace.{person.names['username']}"
    changed = await api.put("/api/v1/account", headers=person.token, json={"first_name": "Grace", "username": renamed})
    assert changed.status_code == 200, changed.text
    expected = {**person.answer["user"], "first_name": "Grace", "username": renamed}
    assert changed.json() == {"success": True, "user": expected}
    assert (await api.get("/api/v1/auth/me", headers=person.token)).json()["user"] == expected


@pytest.mark.parametrize("body", [{}, {"email": "a@example.org"}, {"first_name": None}, {"storage_used": 0}])
async def test_a_bad_account_change_is_refused(api: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """An empty change, or one of a field that is not the user's to set, is a 400."""
    person = await register(api)
    problem(await api.put("/api/v1/account", headers=person.token, json=body), 400, "invalid_request")


async def test_a_user_name_in_use_cannot_be_taken(api: httpx.AsyncClient) -> None:
    """Changing to somebody else's user name is a 409."""
    person, other = await register(api), await register(api)
    body = {"username": other.names["username"]}
    problem(await api.put("/api/v1/account", headers=person.token, json=body), 409, "username_taken")


async def test_times_are_utc_with_z(api: httpx.AsyncClient) -> None:
    """Times are ISO 8601 in UTC and end in Z (000-W8)."""
    person = await register(api)
    assert person.answer["user"]["created_at"].endswith("Z")
    assert person.answer["api_key"]["created_at"].endswith("Z")


async def test_an_api_key_is_not_a_sign_in(api: httpx.AsyncClient) -> None:
    """Account and key management ask for a token; a leaked key cannot make more keys."""
    person = await register(api)
    for method, path in [("GET", "/api/v1/account"), ("GET", "/api/v1/api-keys"), ("POST", "/api/v1/api-keys")]:
        answer = await api.request(method, path, headers=person.key, json={"key_name": "more"})
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_blocking_stops_every_credential(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """A blocked user's token, keys and password all stop at once, and work again when unblocked."""
    person = await register(api)
    login = {"identifier": person.names["email"], "password": PASSWORD}
    tenant.query("UPDATE users SET is_blocked = true WHERE id = %s", person.id)
    for answer in (
        await api.get("/api/v1/account", headers=person.token),
        await api.get("/images", headers=person.token),
        await api.get("/images", headers=person.key),
        await api.post("/upload", headers=person.key, files={"file": b"x"}),
        await api.post("/api/v1/auth/login", json=login),
    ):
        problem(answer, 403, "account_blocked")
    tenant.query("UPDATE users SET is_blocked = false WHERE id = %s", person.id)
    assert (await api.get("/images", headers=person.key)).status_code == 200


async def test_a_suspended_workspace_is_refused(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """Nobody acts in a suspended workspace, with whatever credential (002-J2)."""
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
