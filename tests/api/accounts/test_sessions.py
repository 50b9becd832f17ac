"""Sign-in."""

import statistics
import time
from typing import Any

import httpx
import pytest
from pwdlib.hashers.bcrypt import BcryptHasher

from support.api import PASSWORD, TenantDatabase, problem, register


@pytest.mark.requirement("000-R2", "X6")
@pytest.mark.parametrize("by", ["email", "username"])
@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/auth/login"])
async def test_sign_in_by_either_name(api: httpx.AsyncClient, by: str, path: str) -> None:
    """The right password signs in by e-mail and by user name, in any case, under both paths."""
    person = await register(api)
    response = await api.post(path, json={"identifier": person.names[by].upper(), "password": PASSWORD})
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    token = {"Authorization": f"Bearer {response.json()['token']}"}
    account = await api.get("/api/v1/account", headers=token)
    assert account.json()["user"] == response.json()["user"] == person.registration["user"]


async def test_wrong_password_and_unknown_name_look_the_same(api: httpx.AsyncClient) -> None:
    """The answers to a wrong password and to an unknown name differ in nothing but the request's id."""
    person = await register(api)
    documents = []
    for identifier in (person.names["email"], "unknown@example.org"):
        response = await api.post("/api/v1/auth/login", json={"identifier": identifier, "password": "wrong password"})
        document = problem(response, 401, "invalid_credentials")
        documents.append({name: value for name, value in document.items() if name != "request_id"})
    assert documents[0] == documents[1]


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(open_api: Any) -> None:
    """The medians of both times differ by less than half: the same hash is worked out (no enumeration by time)."""
    async with open_api(login_attempts=1000) as api:
        person = await register(api)

        async def seconds(identifier: str) -> float:
            began = time.perf_counter()
            await api.post("/api/v1/auth/login", json={"identifier": identifier, "password": "wrong password"})
            return time.perf_counter() - began

        pairs = [(await seconds(person.names["email"]), await seconds("unknown@example.org")) for _ in range(15)]
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert unknown > known / 2, (known, unknown)


@pytest.mark.requirement("000-S3")
async def test_bcrypt_hashes_verify_and_are_upgraded(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """An account brought along with a bcrypt hash signs in, and its hash is Argon2id from then on."""
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
