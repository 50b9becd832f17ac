"""Strings that are not text: NUL characters and unpaired surrogates, wherever a client can send them."""

import httpx
import pytest

from support.api import Person, problem

JSON_TYPE = {"Content-Type": "application/json"}


@pytest.mark.parametrize("value", [r"a\u0000b", r"\ud800", r"\udfff@example.org"])
@pytest.mark.parametrize("field", ["identifier", "password"])
async def test_they_are_rejected_in_json(api: httpx.AsyncClient, field: str, value: str) -> None:
    """In any field of a body they are a 400, never a failure of this service."""
    fields = {"identifier": "ada", "password": "secret", field: value}
    body = "{" + ", ".join(f'"{name}": "{text}"' for name, text in fields.items()) + "}"
    document = problem(await api.post("/api/v1/auth/login", content=body, headers=JSON_TYPE), 400, "invalid_request")
    assert "NUL" in document["detail"]


@pytest.mark.parametrize("path", ["/images/a%00b", "/images/%00"])
async def test_they_are_rejected_in_paths(ada: Person, path: str) -> None:
    """In a path that reaches the database they are a 400."""
    problem(await ada.client.delete(path, headers=ada.key), 400, "invalid_request")
