"""What browsers let pages of other origins do with images."""

import pytest

from support.imaging import Imaging, Stored

ORIGIN = "https://other.example"


@pytest.mark.parametrize("query", ["", "?size=thumb", "?download=true"])
@pytest.mark.parametrize("origin", [{}, {"origin": ORIGIN}], ids=["no-origin", "origin"])
async def test_every_origin_may_read_images(
    imaging: Imaging, photo: Stored, query: str, origin: dict[str, str]
) -> None:
    """Canvas and fetch() of any page may read an image, also one that a cache got for a plain <img>."""
    response = await imaging.get(f"/i/{photo.public_id}{query}", **origin)
    assert response.headers["access-control-allow-origin"] == "*"
    assert "ETag" in response.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in response.headers
    assert "vary" not in response.headers, "caches keep one response for all origins"
    not_modified = await imaging.get(f"/i/{photo.public_id}{query}", **origin, if_none_match=response.headers["etag"])
    assert (not_modified.status_code, not_modified.headers["access-control-allow-origin"]) == (304, "*")


async def test_scripts_may_read_errors_and_information(imaging: Imaging, photo: Stored) -> None:
    """A page learns why an image is not there, and what is known of one that is."""
    for path, status in ((f"/info/{photo.public_id}", 200), ("/i/unknown", 404), (f"/i/{photo.public_id}?size=x", 400)):
        response = await imaging.get(path, origin=ORIGIN)
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (status, "*")


@pytest.mark.requirement("000-O8")
async def test_the_preflight_allows_reading_only(imaging: Imaging, photo: Stored) -> None:
    """Conditions and ranges are allowed; methods that write and headers with credentials are not."""
    headers = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range", "Origin": ORIGIN}
    response = await imaging.public.options(f"/i/{photo.public_id}", headers=headers)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "GET, HEAD"
    allowed = set(response.headers["access-control-allow-headers"].split(", "))
    assert allowed == {"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range"}
    assert (await imaging.public.options(f"/i/{photo.public_id}")).status_code == 405, "no preflight"
