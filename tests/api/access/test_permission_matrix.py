"""Permissions as the running api enforces them: every route with every role, workspace and kind of credential."""

from typing import Any

import pytest
from fastapi import FastAPI

from imghost_api.access.declarations import check_of
from imghost_api.access.deps import authenticate
from imghost_api.access.permissions import Permission, Role
from support.api import TenantDatabase, api_settings
from support.permission_matrix import CREDENTIALS, USERS, Case, Route, World, cases, find_deviations, routes, send


@pytest.fixture(scope="session")
def world(tenant: TenantDatabase, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two workspaces, their members and credentials."""
    return World(tenant, api_settings(tenant, tmp_path_factory.mktemp("unused")))


@pytest.mark.parametrize("route", routes(), ids=str)
async def test_a_route_enforces_the_permission_table(open_api: Any, world: World, route: Route) -> None:
    """Without the permission: a 403 that names it. Objects of the other workspace: 404. Neither has an effect."""
    async with open_api() as api:
        assert await find_deviations(api, world, route) == {}


@pytest.mark.parametrize("route", [route for route in routes() if route.permission], ids=str)
async def test_no_cache_may_store_what_a_credential_gives(open_api: Any, world: World, route: Route) -> None:
    """Every response of a route that requires a credential, also a refusal, forbids every cache to store it."""
    async with open_api() as api:
        for credential in CREDENTIALS:
            response, _ = await send(api, world, Case(route, Role.OWNER, "A", credential, "A"))
            assert response.headers.get("cache-control") in {"private, no-store", "no-store"}, credential


async def test_the_matrix_finds_a_missing_check(open_api: Any, world: World) -> None:
    """With the check of one permission replaced by authentication alone, exactly the cases it rejects deviate."""
    route = next(route for route in routes() if route.permission is Permission.IMAGES_DELETE)
    async with open_api() as api:
        app: FastAPI = api.public
        app.dependency_overrides[check_of(Permission.IMAGES_DELETE)] = authenticate
        deviations = await find_deviations(api, world, route)
        app.dependency_overrides.clear()
    assert set(deviations) == {case for case in cases(route) if case.expected.startswith("403")}
    assert {case.role for case in deviations if case.credential == "token"} == {"viewer"}
    assert {case.user for case in deviations if case.credential == "read-only key"} >= {"owner", "admin", "member"}


def test_the_matrix_has_every_kind_of_case() -> None:
    """Each route is called with every user, workspace and credential, and each outcome is expected somewhere."""
    matrix = [case for route in routes() for case in cases(route)]
    assert len(matrix) >= len(routes()) * len(USERS) * 2 * len(CREDENTIALS)
    assert {case.expected.partition(" ")[0] for case in matrix} == {"allowed", "401", "403", "404"}
