"""Which pages a browser lets call the api: those of the configured front end, and no others."""

from typing import Any

import httpx
import pytest

from support import sample_images
from support.api import problem, register

FRONTEND = "https://app.example.org"
OTHERS = [
    "https://evil.example.org",
    "http://app.example.org",
    "https://app.example.org:8443",
    "https://app.example.org.evil.test",
    "null",
]


async def preflight(api: httpx.AsyncClient, origin: str) -> httpx.Response:
    """What a browser asks before a page of `origin` uploads with an API key."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key,idempotency-key",
    }
    return await api.options("/upload", headers=headers)


@pytest.mark.parametrize(
    "frontend",
    [FRONTEND, f"{FRONTEND}/", f"{FRONTEND}/console", f"{FRONTEND}:443", "HTTPS://App.Example.org"],
)
async def test_pages_of_the_front_end_may_upload(open_api: Any, imaging_url: str, frontend: str) -> None:
    """A page of the configured front end may upload with an API key and read the response with its limits; path, case
    and default port of the configured URL do not matter, for no browser sends them.
    """
    async with open_api(imaging_url=imaging_url, frontend_url=frontend) as api:
        asked = await preflight(api, FRONTEND)
        person = await register(api)
        response = await person.upload(sample_images.photo(64, 48), Origin=FRONTEND)
    assert asked.status_code == 200
    allowed = {name.strip().lower() for name in asked.headers["access-control-allow-headers"].split(",")}
    assert {"x-api-key", "idempotency-key", "authorization", "content-type"} <= allowed
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert response.status_code == 201
    for headers in (asked.headers, response.headers):
        assert headers["access-control-allow-origin"] == FRONTEND
        assert "origin" in headers["vary"].lower()
        assert "access-control-allow-credentials" not in headers
    assert "Retry-After" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", OTHERS)
@pytest.mark.parametrize("frontend", [FRONTEND, None])
async def test_pages_of_other_origins_may_not(open_api: Any, frontend: str | None, origin: str) -> None:
    """A page of any other origin gets no permission, neither before a request nor with the response, and no cookie or
    other credential of the browser is ever asked for; without a configured front end that holds for every page.
    """
    async with open_api(frontend_url=frontend) as api:
        asked = await preflight(api, origin)
        person = await register(api)
        response = await api.get("/images", headers={**person.key, "Origin": origin})
        refused = await api.get("/images", headers={"Origin": origin})
    assert asked.status_code >= 400
    problem(refused, 401, "unauthorized")
    for headers in (asked.headers, response.headers, refused.headers):
        assert "access-control-allow-origin" not in headers
        assert "access-control-allow-credentials" not in headers
