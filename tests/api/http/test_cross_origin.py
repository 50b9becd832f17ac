"""What browsers let pages of other origins do with the api."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import httpx
import pytest

from imghost_api.settings import to_origin
from support import sample_images
from support.api import register

OpenApi = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
FRONTEND, APP = "https://www.example.com", "http://localhost:3000"
CONFIGURED = {"frontend_url": f"{FRONTEND}/console", "allowed_origins": f"{APP}, https://App.Example.com:443/"}
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key,x-api-key"}


@pytest.mark.requirement("000-O8")
@pytest.mark.parametrize("origin", [FRONTEND, APP, "https://app.example.com"])
async def test_pages_of_configured_origins_upload(open_api: OpenApi, imaging_url: str, origin: str) -> None:
    """The browser's preflight is allowed, and the upload, its response and its errors may be read."""
    async with open_api(imaging_url=imaging_url, **CONFIGURED) as client:
        preflight = await client.options("/upload", headers={"Origin": origin, **ASKED})
        assert preflight.status_code == 200, preflight.text
        assert preflight.headers["access-control-allow-origin"] == origin
        assert "X-API-Key" in preflight.headers["access-control-allow-headers"]
        person = await register(client)
        for body, status in ((sample_images.photo(64, 48), 201), (b"no image", 415)):
            response = await person.upload(body, Origin=origin)
            assert (response.status_code, response.headers["access-control-allow-origin"]) == (status, origin)
            assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://www.example.com", f"{FRONTEND}.evil.example", "null"]
)
@pytest.mark.parametrize("configured", [CONFIGURED, {}], ids=["origins", "none"])
async def test_pages_of_other_origins_do_not(open_api: OpenApi, configured: dict[str, str], origin: str) -> None:
    """Neither the preflight nor a response names another origin, also where none is configured."""
    async with open_api(**configured) as client:
        for response in (
            await client.options("/upload", headers={"Origin": origin, **ASKED}),
            await client.get("/api/v1/images", headers={"Origin": origin}),
        ):
            assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://[FD00::5]:80/x", "http://[fd00::5]"),
        ("https://www.example.com/app", "https://www.example.com"),
        ("https://WWW.Example.com:443", "https://www.example.com"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("http://example.com:443", "http://example.com:443"),
    ],
)
def test_origins_are_compared_as_browsers_send_them(url: str, origin: str) -> None:
    """Lower case, no path, and no port that the scheme implies."""
    assert to_origin(url) == origin
