"""The exact original, for its workspace only."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import httpx
import pytest

from support import private_metadata
from support.api import Person, TenantDatabase, problem, register

OpenApi = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
SETTINGS = "/api/v1/workspace/settings"


async def upload(person: Person) -> str:
    response = await person.upload(private_metadata.jpeg(), "Ferien am See.jpg")
    assert response.status_code == 201, response.text
    return f"/api/v1/images/{response.json()['image']['id']}/original"


@pytest.mark.parametrize("policy", ["owner", "keep"])
async def test_the_workspace_downloads_its_exact_original(ada: Person, policy: str) -> None:
    """With the policy `owner` or `keep`, API key and access token get the uploaded bytes, which no cache may keep."""
    path = await upload(ada)
    await ada.client.put(SETTINGS, headers=ada.token, json={"metadata_policy": policy})
    for credential in (ada.key, ada.token):
        response = await ada.client.get(path, headers=credential)
        assert (response.status_code, response.content) == (200, private_metadata.jpeg())
        assert response.headers["content-type"] == "image/jpeg"
        assert response.headers["cache-control"] == "private, no-store"
        assert response.headers["content-disposition"] == 'attachment; filename="Ferien am See.jpg"'
        assert response.headers["content-length"] == str(len(response.content))
        assert "ratelimit" in response.headers


async def test_by_default_the_exact_original_is_withheld(ada: Person) -> None:
    """With the policy `strip` the download is 409 and says which setting allows it."""
    document = problem(await ada.client.get(await upload(ada), headers=ada.key), 409, "original_withheld")
    assert "`owner`" in document["detail"]


async def test_the_policy_of_the_tenant_decides_without_one_of_the_workspace(
    open_api: OpenApi, imaging_url: str
) -> None:
    """METADATA_POLICY=owner allows the download."""
    async with open_api(imaging_url=imaging_url, metadata_policy="owner") as client:
        person = await register(client)
        path = await upload(person)
        assert (await client.get(path, headers=person.key)).status_code == 200


async def test_originals_of_other_workspaces_are_unknown(ada: Person) -> None:
    """Another workspace and an unknown id get the same 404, without a credential it is 401."""
    path, eve = await upload(ada), await register(ada.client)
    await ada.client.put(SETTINGS, headers=ada.token, json={"metadata_policy": "owner"})
    for wrong in (path, "/api/v1/images/unknown/original"):
        problem(await ada.client.get(wrong, headers=eve.key), 404, "image_not_found")
    assert (await ada.client.get(path)).status_code == 401


async def test_an_upload_records_what_is_delivered(ada: Person, tenant: TenantDatabase) -> None:
    """The row has the filter and the size it left, so that delivery needs no second request to the store."""
    public_id = (await upload(ada)).split("/")[-2]
    query = "SELECT delivered_filter, delivered_size < file_size FROM images WHERE public_id = %s"
    assert tenant.query(query, public_id) == [("1", True)]
