"""Values that are no text, in every place of a request for an image."""

import pytest

from support.hostile_text import IN_HEADERS, IN_URLS
from support.imaging import Imaging, Stored

HEADERS = ("Range", "If-Range", "If-None-Match", "If-Modified-Since", "Referer", "User-Agent", "X-Request-Id", "Accept")


@pytest.mark.parametrize("value", IN_URLS.values(), ids=IN_URLS)
@pytest.mark.parametrize("place", ["/i/{}", "/info/{}", "/{}", "/{}.jpg", "/i/{id}?size={}", "/i/{id}?download={}"])
async def test_no_path_or_query_makes_delivery_fail(imaging: Imaging, photo: Stored, place: str, value: str) -> None:
    """NUL, surrogates, bytes that are no UTF-8 and endless numbers are a 4xx, or are ignored, never a 500."""
    response = await imaging.get(place.replace("{id}", photo.public_id).replace("{}", value))
    assert response.status_code in ({200, 400} if "{id}" in place else {404}), response.text


@pytest.mark.parametrize("value", IN_HEADERS.values(), ids=IN_HEADERS)
async def test_no_header_makes_delivery_fail(imaging: Imaging, photo: Stored, value: bytes) -> None:
    """In a header such values are ignored; what is recorded of the delivery is text."""
    for name in HEADERS:
        response = await imaging.public.get(f"/i/{photo.public_id}", headers=[(name, value)])
        assert response.status_code == 200, (name, response.text)
