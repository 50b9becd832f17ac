"""JSON bodies of requests."""

import httpx
import pytest

from support.api import problem


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
async def test_malformed_json_is_a_400(api: httpx.AsyncClient, body: bytes, says: str) -> None:
    """A body that is not a JSON object is a 400 that says so."""
    response = await api.post("/api/v1/auth/login", content=body, headers={"Content-Type": "application/json"})
    assert says.lower() in problem(response, 400, "invalid_request")["detail"].lower()


async def test_deep_and_large_json_is_refused_cheaply(api: httpx.AsyncClient) -> None:
    """JSON of absurd depth or size is rejected and harms no other request."""
    headers = {"Content-Type": "application/json"}
    deep = await api.post("/api/v1/auth/login", content=b"[" * 30_000, headers=headers)
    assert deep.status_code == 400
    large = await api.post("/api/v1/auth/login", content=b'{"identifier": "' + b"x" * 100_000 + b'"}', headers=headers)
    assert large.status_code == 413
    assert large.json()["success"] is False
