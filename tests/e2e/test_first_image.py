"""From a manifest to an image in the browser, on a real cluster."""

from importlib.resources import files

import httpx
import pytest

from support import image_similarity
from support.e2e.figures import Figures
from support.e2e.tenants import Tenants

PHOTOGRAPH = files("imghost_local").joinpath("samples", "hubble.jpg").read_bytes()
SIZES = {"thumb": 200, "small": 400, "medium": 800, "large": 1200}


@pytest.mark.requirement("000-A6")
@pytest.mark.parametrize("sample", ["demo", "throwaway"])
async def test_a_sample_tenant_serves_an_uploaded_image(tenants: Tenants, figures: Figures, sample: str) -> None:
    """On a Kubernetes without a cloud provider a sample tenant gets ready, a user gets a key and uploads a
    photograph, everybody sees it in all sizes, and nothing has to be sent twice.
    """
    tenant = await tenants.ready(sample=sample)
    client = tenant.client
    account = await client.register()
    key = await client.new_key(account)
    assert key.startswith("ih_")
    assert key != account.key

    with figures.measure("first upload of a tenant"):
        image = await client.upload_or_fail(account, PHOTOGRAPH)
    width, height = image["metadata"]["width"], image["metadata"]["height"]
    assert image["metadata"]["size"] == len(PHOTOGRAPH)
    assert image["view_url"].startswith(tenant.urls["view"])

    original = await client.view(image["view_url"])
    assert original.content == PHOTOGRAPH
    _is_safe(original)
    assert original.headers["content-type"] == "image/jpeg"
    assert original.headers["etag"]
    thumb = await client.view(image["thumbnail"])
    assert thumb.content == (await client.view(f"{image['view_url']}?size=thumb")).content
    for size, longest in SIZES.items():
        response = await client.view(f"{image['view_url']}?size={size}")
        _is_safe(response)
        shape = image_similarity.pixels(response.content).shape
        assert max(shape[:2]) == min(longest, max(width, height))
        assert abs(shape[1] / shape[0] - width / height) < 0.02
    unchanged = await client.http.get(image["url"], headers={"If-None-Match": original.headers["etag"]})
    assert unchanged.status_code == httpx.codes.NOT_MODIFIED
    assert client.again == []


def _is_safe(response: httpx.Response) -> None:
    assert response.status_code == httpx.codes.OK, response.text
    expected = {
        "cache-control": "public, max-age=3600, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "content-length": str(len(response.content)),
    }
    assert {name: response.headers.get(name) for name in expected} == expected
