"""Permissions, roles, scopes, and the declarations of routes."""

import itertools
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter
from sqlalchemy import CheckConstraint
from starlette.responses import Response
from starlette.routing import Route

from imghost_api import main
from imghost_api.access.declarations import PUBLIC, Require, UndeclaredRoute, required_permission
from imghost_api.access.deps import WorkspaceSession
from imghost_api.access.errors import PermissionDenied
from imghost_api.access.permissions import (
    DEFAULT_SCOPES,
    DESCRIPTIONS,
    KEY_SCOPES,
    MEMBER_ROLES,
    ROLE_PERMISSIONS,
    Permission,
    Role,
    role_permissions,
    to_scopes,
)
from imghost_api.access.principal import Principal
from imghost_api.access.tables import Membership
from imghost_api.features import FEATURES, Feature
from imghost_api.settings import ApiSettings
from imghost_dev import permissions as page
from support.api import PRIVATE_KEY

Read = Annotated[Principal, Require(Permission.IMAGES_READ)]
Write = Annotated[Principal, Require(Permission.IMAGES_WRITE)]


def test_a_viewer_may_change_nothing_of_the_workspace() -> None:
    """Of what changes something, a viewer has only the permission to change the own account."""
    changing = {permission for permission in ROLE_PERMISSIONS[Role.VIEWER] if not permission.endswith(":read")}
    assert changing == {Permission.ACCOUNT_WRITE}


def test_each_role_has_the_permissions_of_the_one_below() -> None:
    """Viewer, member, admin, owner: each has at least what the previous one has."""
    ladder = [ROLE_PERMISSIONS[role] for role in (Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER)]
    assert all(lower <= higher for lower, higher in itertools.pairwise(ladder))
    assert ladder[-1] == frozenset(Permission)


def test_a_platform_admin_has_the_permissions_of_both() -> None:
    """Being a platform admin adds to the role in the workspace; without it the role alone decides."""
    assert role_permissions(Role.VIEWER, is_platform_admin=False) == ROLE_PERMISSIONS[Role.VIEWER]
    assert role_permissions(Role.VIEWER, is_platform_admin=True) == frozenset(Permission)


@pytest.mark.parametrize("stored", ["billing", Role.PLATFORM_ADMIN.value])
def test_a_role_of_a_later_release_grants_nothing(stored: str) -> None:
    """While releases run side by side, a membership may have a role that the older one does not know: 403, not 500."""
    assert role_permissions(stored, is_platform_admin=False) == frozenset()
    assert role_permissions(stored, is_platform_admin=True) == frozenset(Permission)
    assert stored in str(PermissionDenied(Permission.IMAGES_READ, role=stored, by_api_key=True))


@pytest.mark.parametrize(
    ("role", "by_api_key", "advice"),
    [
        (Role.VIEWER, False, "for one of these roles: owner, admin, member."),
        (Role.VIEWER, True, "for one of these roles: owner, admin, member."),
        (Role.MEMBER, True, "or an API key created with the scope images:write."),
    ],
)
def test_a_refusal_says_what_would_help(role: Role, by_api_key: bool, advice: str) -> None:
    """A 403 names the permission, for programs too, and what gives it: a scope where the role has it, else a role."""
    denied = PermissionDenied(Permission.IMAGES_WRITE, role=role, by_api_key=by_api_key)
    assert denied.extra == {"required_permission": "images:write"}
    assert "requires the permission images:write" in str(denied)
    assert str(denied).endswith(advice)


def test_the_database_accepts_the_roles_of_members() -> None:
    """The constraint on memberships lists exactly the roles that a membership may have."""
    constraints = [c for c in Membership.__table__.constraints if isinstance(c, CheckConstraint)]
    assert [str(constraint.sqltext) for constraint in constraints] == [f"role IN {tuple(map(str, MEMBER_ROLES))}"]


def test_a_key_cannot_manage_keys_or_accounts() -> None:
    """No scope lets a leaked key create further keys or change an account."""
    assert not {scope for scope in KEY_SCOPES if scope.startswith(("keys:", "account:"))}
    assert DEFAULT_SCOPES <= KEY_SCOPES


def test_unknown_scopes_grant_nothing() -> None:
    """Scopes that a later release stored, and permissions that no key may have, are ignored."""
    assert to_scopes(["images:read", "albums:read", "keys:write"]) == {Permission.IMAGES_READ}


def test_every_permission_is_described_and_required() -> None:
    """The enum has no permission that no route requires or that the page cannot explain."""
    required = {
        required_permission(route) for feature in FEATURES for router in feature.routers for route in router.routes
    }
    assert required - {None} == set(Permission) == set(DESCRIPTIONS)


def test_the_page_is_up_to_date() -> None:
    """docs/permissions.md is what the enum, the roles and the routes say."""
    assert (Path(__file__).parents[3] / page.PATH).read_text() == page.render()


def _undeclared() -> APIRouter:
    router = APIRouter()
    router.add_api_route("/new", lambda: None)
    return router


def _public_and_required() -> APIRouter:
    router = APIRouter()

    def route(principal: Read) -> None: ...

    router.add_api_route("/new", route, dependencies=[PUBLIC])
    return router


def _public_with_a_principal() -> APIRouter:
    router = APIRouter()

    def route(session: WorkspaceSession) -> None: ...

    router.add_api_route("/new", route, dependencies=[PUBLIC])
    return router


def _two_permissions() -> APIRouter:
    router = APIRouter()

    def route(reader: Read, writer: Write) -> None: ...

    router.add_api_route("/new", route)
    return router


def _plain_route() -> APIRouter:
    router = APIRouter()
    router.routes.append(Route("/new", lambda _request: Response()))
    return router


@pytest.mark.parametrize(
    "make", [_undeclared, _public_and_required, _public_with_a_principal, _two_permissions, _plain_route]
)
def test_a_route_without_one_declaration_stops_the_assembly(
    make: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A route that declares nothing or two things, or is public but uses a principal, is never served."""
    assert callable(make)
    monkeypatch.setattr(main, "FEATURES", (*FEATURES, Feature("new", (make(),))))
    with pytest.raises(UndeclaredRoute, match=r"/new.*must declare"):
        main.create_apps(_settings(tmp_path))


def test_the_api_serves_nothing_but_the_features_and_the_probes(tmp_path: Path) -> None:
    """Every path outside the declared routes is one of the fixed public ones: probes and documentation."""
    public, _ = main.create_apps(_settings(tmp_path))
    declared = {id(router) for feature in FEATURES for router in feature.routers}
    paths = {
        getattr(route, "path", "included")
        for route in public.app.routes  # type: ignore[attr-defined]
        if id(getattr(route, "original_router", None)) not in declared
    }
    assert paths == {"/health", "/livez", "/readyz", "/openapi.json", "/docs", "/docs/oauth2-redirect", "/docs-assets"}


def _settings(root: Path) -> ApiSettings:
    """Settings with which the assembly contacts nothing."""
    return ApiSettings(
        tenant="t",
        database_url="postgresql://none@127.0.0.1:1/none",
        store_kind="filesystem",
        store_root=root,
        imaging_url="http://127.0.0.1:9",
        internal_token="x" * 32,
        jwt_private_key=PRIVATE_KEY,
        api_key_pepper="x" * 32,
        auth_server_url="http://auth.test",
        view_server_url="http://view.test",
    )
