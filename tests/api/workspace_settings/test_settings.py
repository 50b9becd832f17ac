"""Settings of a workspace."""

import httpx
import pytest

from support.api import Person, problem, register

PATH = "/api/v1/workspace/settings"


async def test_the_metadata_policy_is_the_default_until_it_is_set(api: httpx.AsyncClient) -> None:
    """A new workspace follows the tenant, then its own policy, then the tenant again."""
    ada = await register(api)
    default = {"metadata_policy": None, "effective_metadata_policy": "strip"}
    assert (await api.get(PATH, headers=ada.token)).json() == {"success": True, "settings": default}
    changed = await api.put(PATH, headers=ada.token, json={"metadata_policy": "owner"})
    own = {"metadata_policy": "owner", "effective_metadata_policy": "owner"}
    assert (changed.status_code, changed.json()["settings"]) == (200, own)
    assert (await api.get(PATH, headers=ada.token)).json()["settings"] == own
    await api.put(PATH, headers=ada.token, json={"metadata_policy": None})
    assert (await api.get(PATH, headers=ada.token)).json()["settings"] == default


async def test_settings_are_those_of_one_workspace(api: httpx.AsyncClient) -> None:
    """A change does not reach another workspace."""
    ada, eve = await register(api), await register(api)
    await api.put(PATH, headers=ada.token, json={"metadata_policy": "keep"})
    assert (await api.get(PATH, headers=eve.token)).json()["settings"]["metadata_policy"] is None


@pytest.mark.parametrize("body", [{}, {"metadata_policy": "everything"}, {"metadata_policy": 1}])
async def test_an_unknown_policy_is_refused(ada: Person, body: dict[str, object]) -> None:
    """What is not a policy is 400 and names the field."""
    response = await ada.client.put(PATH, headers=ada.token, json=body)
    assert problem(response, 400, "invalid_request")["errors"][0]["field"] == "metadata_policy"
