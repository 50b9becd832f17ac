"""Guessing of passwords is slowed down, and no stranger can use that against the owner of an account."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from imghost_api.accounts.sessions.throttle import Throttle, ThrottleLimits
from imghost_api.clock import utc_now
from imghost_api.crypto.digests import keyed_digest
from support.api import PASSWORD, PEPPER, Person, TenantDatabase, client_from, names, problem, register

HOME, STRANGER = "192.0.2.1", "198.51.100.7"


async def sign_in(client: httpx.AsyncClient, name: str, password: str) -> httpx.Response:
    return await client.post("/api/v1/auth/login", json={"identifier": name, "password": password})


async def fail(client: httpx.AsyncClient, name: str, times: int) -> list[int]:
    """The sorted statuses of that many concurrent guesses."""
    guesses = await asyncio.gather(*(sign_in(client, name, "wrong") for _ in range(times)))
    return sorted(guess.status_code for guess in guesses)


@pytest.mark.parametrize("by", ["email", "username"])
async def test_a_stranger_locks_no_owner_out(open_api: Any, by: str) -> None:
    """Guesses from elsewhere end with 429; the owner signs in where they signed in before, meanwhile and afterwards."""
    async with open_api(address=HOME, login_attempts=5) as home, client_from(home.front, STRANGER) as stranger:
        person = await register(home)
        assert await fail(stranger, person.names[by], 8) == [401] * 5 + [429] * 3
        held = await sign_in(stranger, person.names[by], PASSWORD)
        problem(held, 429, "too_many_logins")
        assert 1 <= int(held.headers["retry-after"]) <= 901
        assert (await sign_in(home, person.names[by], PASSWORD)).status_code == 200


async def test_the_owner_is_not_refused_after_failures_of_their_own(open_api: Any, tenant: TenantDatabase) -> None:
    """At a known address the right password works after any number of wrong ones, each of which waits longer.

    A success forgets the failures.
    """
    throttle = Throttle(ThrottleLimits(2, 1, 1, timedelta(1)), keyed_digest(SecretStr(PEPPER)), utc_now)
    async with open_api(address=HOME, login_attempts=2) as home:
        person = await register(home)
        counter = throttle.attempt(person.names["email"], HOME, known=True).pair
        for _ in range(4):
            assert (await sign_in(home, person.names["email"], "wrong")).status_code == 401
        assert tenant.query("SELECT failures FROM login_attempts WHERE subject = %s", counter) == [(4,)]
        began = time.monotonic()
        assert (await sign_in(home, person.names["email"], PASSWORD)).status_code == 200
        assert time.monotonic() - began >= 1  # 0.25 s, doubled with the third and again with the fourth failure
    assert tenant.query("SELECT failures FROM login_attempts WHERE subject = %s", counter) == []


async def test_a_sign_in_makes_an_address_known(open_api: Any) -> None:
    """An address is known after the first sign-in from it, for that account only."""
    async with open_api(address=HOME, login_attempts=2) as home, client_from(home.front, STRANGER) as travelling:
        person, other = await register(home), await register(home)
        assert (await sign_in(travelling, person.names["email"], PASSWORD)).status_code == 200
        assert await fail(travelling, person.names["email"], 3) == [401] * 3
        assert await fail(travelling, other.names["email"], 3) == [401, 401, 429]


async def test_throttling_discloses_neither_accounts_nor_which_names_belong_together(open_api: Any) -> None:
    """An unknown name is throttled like a known one, and each name of an account by itself."""
    async with open_api(address=HOME, login_attempts=2) as home, client_from(home.front, STRANGER) as stranger:
        person = await register(home)
        for name in (person.names["email"], person.names["username"], names()["email"], names()["username"]):
            answers = [await sign_in(stranger, name, "wrong") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [401, 401, 429]
            assert "Too many sign-ins with this name" in answers[2].json()["detail"]


async def test_many_addresses_are_no_way_around(open_api: Any) -> None:
    """One name fails from ten addresses up to the limit of each; then it waits everywhere that is not known."""
    async with open_api(address=HOME, login_attempts=1) as home:
        person = await register(home)
        statuses = []
        for last in range(11):
            async with client_from(home.front, f"203.0.113.{last}") as client:
                statuses.append((await sign_in(client, person.names["email"], "wrong")).status_code)
        assert statuses == [401] * 10 + [429]
        assert (await sign_in(home, person.names["email"], PASSWORD)).status_code == 200


async def test_one_address_guesses_only_so_often(open_api: Any) -> None:
    """An address has one limit for all names, an IPv6 network of 64 bits is one, and a success is not counted."""
    limits = {"login_attempts_per_address": 3}
    async with open_api(address=HOME, **limits) as home, client_from(home.front, "2001:db8:0:7::1") as first:
        people = [await register(home) for _ in range(4)]
        for person in people:
            assert (await sign_in(first, person.names["email"], PASSWORD)).status_code == 200
        statuses = []
        for host in range(4):
            async with client_from(home.front, f"2001:db8:0:7::{host}") as client:
                statuses.append((await sign_in(client, names()["email"], "wrong")).status_code)
        assert statuses == [401, 401, 401, 429]


async def test_all_addresses_together_have_a_limit(open_api: Any, tenant: TenantDatabase) -> None:
    """Beyond it only known addresses sign in."""
    async with open_api(address=HOME) as home:
        person = await register(home)
        await sign_in(home, names()["email"], "wrong")
        ((failures,),) = tenant.query("SELECT max(failures) FROM login_attempts")
    limits = {"login_attempts_in_all": failures + 1}
    async with open_api(address=HOME, **limits) as home, client_from(home.front, STRANGER) as stranger:
        assert await fail(stranger, names()["email"], 2) == [401, 429]
        assert (await sign_in(home, person.names["email"], PASSWORD)).status_code == 200


async def test_the_window_ends(open_api: Any, tenant: TenantDatabase) -> None:
    """A window that is over counts no more."""
    async with open_api(login_attempts=2) as api:
        name = names()["email"]
        assert await fail(api, name, 3) == [401, 401, 429]
        tenant.query("UPDATE login_attempts SET first_at = first_at - interval '1 hour'")
        assert await fail(api, name, 1) == [401]


async def test_addresses_are_not_stored(open_api: Any, tenant: TenantDatabase) -> None:
    """The database knows an address by a keyed hash only, another one for each account."""
    async with open_api(address=HOME) as home:
        people: list[Person] = [await register(home), await register(home)]
    ids = [person.id for person in people]
    hashes = tenant.query("SELECT address FROM known_addresses WHERE user_id = ANY(%s::uuid[])", ids)
    assert len(set(hashes)) == 2
    assert all(HOME.encode() not in stored for (stored,) in hashes)
