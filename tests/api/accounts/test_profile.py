"""The signed-in user's account."""

from typing import Any

import httpx
import pytest

from support.api import problem, register


@pytest.mark.requirement("000-R5", "000-R6")
async def test_the_account_can_be_changed(api: httpx.AsyncClient) -> None:
    """PUT changes the given fields and leaves the others."""
    person = await register(api)
    renamed = f"grace.{person.names['username']}"
    changed = await api.put("/api/v1/account", headers=person.token, json={"first_name": "Grace", "username": renamed})
    assert changed.status_code == 200, changed.text
    expected = {**person.registration["user"], "first_name": "Grace", "username": renamed}
    assert changed.json() == {"success": True, "user": expected}
    assert (await api.get("/api/v1/auth/me", headers=person.token)).json()["user"] == expected


@pytest.mark.parametrize("body", [{}, {"email": "a@example.org"}, {"first_name": None}, {"storage_used": 0}])
async def test_a_bad_account_change_is_refused(api: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """An empty change, or one of a field that is not the user's to set, is a 400."""
    person = await register(api)
    problem(await api.put("/api/v1/account", headers=person.token, json=body), 400, "invalid_request")


async def test_a_user_name_in_use_cannot_be_taken(api: httpx.AsyncClient) -> None:
    """Changing to another account's user name is a 409."""
    person, other = await register(api), await register(api)
    body = {"username": other.names["username"]}
    problem(await api.put("/api/v1/account", headers=person.token, json=body), 409, "username_taken")
