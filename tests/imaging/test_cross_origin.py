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
    not_modified = await imaging.get(f"/i/{photo.public_id}{query}", **origin, if_none_match=response.headers["etag"])
    assert (not_modified.status_code, not_modified.headers["access-control-allow-origin"]) == (304, "*")


async def test_scripts_may_read_errors_and_information(imaging: Imaging, photo: Stored) -> None:
    """A page learns why an image is not there, and what is known of one that is."""
    for path, status in ((f"/info/{photo.public_id}", 200), ("/i/unknown", 404), (f"/i/{photo.public_id}?size=x", 400)):
        response = await imaging.get(path, origin=ORIGIN)
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (status, "*")


async def test_the_preflight_allows_reading_only(imaging: Imaging, photo: Stored) -> None:
    """Conditions and ranges are allowed, methods that write and headers with credentials are not."""
    path = f"/i/{photo.public_id}"
    for method, headers, status in (
        ("GET", "range, if-none-match", 200),
        ("HEAD", "if-match", 200),
        ("PUT", "range", 400),
        ("GET", "authorization", 400),
    ):
        asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers, "Origin": ORIGIN}
        response = await imaging.public.options(path, headers=asked)
        assert response.status_code == status, (method, headers, response.text)
        assert response.headers["access-control-allow-origin"] == "*"
