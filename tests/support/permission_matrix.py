"""Every route by role, workspace and credential: what the permission table expects, and what the running api does.

Two workspaces, A and B. Each user has a role in A and another one in B, so that the role of the credential's workspace
must decide. Routes with an object in the path are called with one of either workspace.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal
from uuid import UUID

import httpx
from fastapi.routing import APIRoute

from imghost_api.access.declarations import required_permission
from imghost_api.access.permissions import KEY_SCOPES, ROLE_PERMISSIONS, Permission, Role, sort_permissions
from imghost_api.crypto.digests import keyed_digest
from imghost_api.crypto.tokens import Claims, Tokens
from imghost_api.features import FEATURES
from imghost_api.settings import ApiSettings
from imghost_core import ids
from support.api import TenantDatabase

Workspace = Literal["A", "B"]
Credential = Literal["token", "full key", "read-only key", "none"]
WORKSPACES: tuple[Workspace, ...] = ("A", "B")
CREDENTIALS: tuple[Credential, ...] = ("token", "full key", "read-only key", "none")
NOT_A_MEMBER = "not a member"
# By the role in A, the role in B. A platform admin is otherwise a viewer, so that only `is_admin` grants the rest.
USERS = {
    Role.OWNER: Role.VIEWER,
    Role.ADMIN: Role.MEMBER,
    Role.MEMBER: Role.ADMIN,
    Role.VIEWER: Role.OWNER,
    Role.PLATFORM_ADMIN: Role.PLATFORM_ADMIN,
    NOT_A_MEMBER: Role.MEMBER,
}
READ_ONLY = frozenset({Permission.IMAGES_READ, Permission.QUOTA_READ})
# Bodies that pass validation; without one a request that is let through ends with 400.
BODIES: dict[str, dict[str, Any]] = {
    "change_account": {"json": {"first_name": "Ada"}},
    "change_settings": {"json": {"metadata_policy": "owner"}},
    "create_api_key": {"json": {"key_name": "key"}},
    "upload": {"files": {"file": ("empty.jpg", b"")}},
}
_AT_A_TIME = 8
_IN_PATH = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class Route:
    """One method of one path, and the permission it declares; None for a public route."""

    method: str
    path: str
    operation: str
    permission: Permission | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Case:
    """One request: who sends it, acting in which workspace, about an object of which workspace."""

    route: Route
    user: str
    workspace: Workspace
    credential: Credential
    target: Workspace

    @property
    def role(self) -> str:
        """Of the user in the workspace they act in."""
        return self.user if self.workspace == "A" else USERS[self.user]

    @property
    def expected(self) -> str:
        """What the permission table says."""
        permission = self.route.permission
        if permission is None:
            return "allowed"
        if self.credential == "none" or self.role == NOT_A_MEMBER:
            return "401"
        if self.credential != "token" and permission not in KEY_SCOPES:
            return "401"
        granted = ROLE_PERMISSIONS[Role(self.role)]
        if self.credential == "read-only key":
            granted &= READ_ONLY
        if permission not in granted:
            return f"403 {permission}"
        return "allowed" if self.target == self.workspace else "404"


def routes() -> list[Route]:
    """Every route that the api serves."""
    return [
        Route(method, route.path, (route.operation_id or "").partition("_alias")[0], required_permission(route))
        for feature in FEATURES
        for router in feature.routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def cases(route: Route) -> Iterator[Case]:
    """Every case of a route. Without an object in the path, the target is the workspace itself."""
    for user, workspace, credential in product(USERS, WORKSPACES, CREDENTIALS):
        for target in WORKSPACES if "{" in route.path else (workspace,):
            yield Case(route, user, workspace, credential, target)


class World:
    """The two workspaces, the users and their credentials, as rows."""

    def __init__(self, tenant: TenantDatabase, settings: ApiSettings) -> None:
        self._tenant = tenant
        self._tokens, self._digest = Tokens(settings), keyed_digest(settings.api_key_pepper)
        self._workspaces = {name: ids.uuid7() for name in WORKSPACES}
        self._users = {name: ids.uuid7() for name in USERS}
        self._headers: dict[tuple[str, Workspace, Credential], dict[str, str]] = {}
        for workspace_id in self._workspaces.values():
            tenant.query(
                "INSERT INTO workspaces (id, name, plan_code) VALUES (%s, 'matrix', 'enterprise')", workspace_id
            )
        for user, workspace in product(USERS, WORKSPACES):
            self._add_member(user, workspace)

    def headers(self, case: Case) -> dict[str, str]:
        """The credential of a case."""
        return self._headers.get((case.user, case.workspace, case.credential), {})

    def add_object(self, path: str, workspace: Workspace) -> str:
        """A new object of the kind that the path names; returns what to put into the path."""
        if "{image_id}" in path:
            public_id = ids.public_id()
            self._tenant.query(
                "INSERT INTO images (id, workspace_id, user_id, public_id, original_name, mime_type, format, extension,"
                " variant_extension, file_size, variant_bytes, width, height, frames, sha256)"
                " VALUES (%s, %s, %s, %s, 'a.jpg', 'image/jpeg', 'jpeg', 'jpg', 'jpg', 1, 1, 1, 1, 1, 'x')",
                ids.uuid7(),
                self._workspaces[workspace],
                self._users[Role.OWNER],
                public_id,
            )
            self._tenant.query(
                "UPDATE workspaces SET storage_used = storage_used + 1 WHERE id = %s", self._workspaces[workspace]
            )
            return public_id
        if "{key_id}" in path:
            return str(self._add_key(Role.OWNER, workspace, KEY_SCOPES)[0])
        if "{code}" in path:  # a page of documentation, in no workspace
            return "not_found"
        raise NotImplementedError(f"add here how to make the object in {path}")

    def exists(self, path: str, identifier: str) -> bool:
        """Whether that object was left alone."""
        if "{code}" in path:
            return True
        statement = (
            "SELECT 1 FROM images WHERE public_id = %s AND deleted_at IS NULL"
            if "{image_id}" in path
            else "SELECT 1 FROM api_keys WHERE id = %s AND revoked_at IS NULL"
        )
        return bool(self._tenant.query(statement, identifier))

    def _add_member(self, user: str, workspace: Workspace) -> None:
        role = user if workspace == "A" else USERS[user]
        is_admin = user == Role.PLATFORM_ADMIN
        user_id, workspace_id = self._users[user], self._workspaces[workspace]
        self._tenant.query(
            "INSERT INTO users (id, first_name, username, email, is_admin) VALUES (%s, 'Ada', %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            user_id,
            f"u{user_id.hex[-12:]}",
            f"{user_id}@example.org",
            is_admin,
        )
        stored = Role.VIEWER if role in {Role.PLATFORM_ADMIN, NOT_A_MEMBER} else role
        self._tenant.query(
            "INSERT INTO memberships (workspace_id, user_id, role) VALUES (%s, %s, %s)", workspace_id, user_id, stored
        )
        token, _ = self._tokens.issue(Claims(user_id, workspace_id), now=_now(self._tenant))
        self._headers[user, workspace, "token"] = {"Authorization": f"Bearer {token}"}
        for credential, scopes in (("full key", KEY_SCOPES), ("read-only key", READ_ONLY)):
            _, key = self._add_key(user, workspace, scopes)
            self._headers[user, workspace, credential] = {"X-API-Key": key}  # type: ignore[index]
        if role == NOT_A_MEMBER:  # once was: holds credentials of the workspace
            self._tenant.query(
                "DELETE FROM memberships WHERE workspace_id = %s AND user_id = %s", workspace_id, user_id
            )

    def _add_key(self, user: str, workspace: Workspace, scopes: frozenset[Permission]) -> tuple[UUID, str]:
        key_id, key = ids.uuid7(), ids.api_key()
        self._tenant.query(
            "INSERT INTO api_keys (id, workspace_id, user_id, key_name, prefix, last_four, key_hmac,"
            " rate_limit_per_hour, scopes) VALUES (%s, %s, %s, 'k', 'ih_', 'abcd', %s, 100000, %s)",
            key_id,
            self._workspaces[workspace],
            self._users[user],
            self._digest(key),
            [scope.value for scope in sort_permissions(scopes)],
        )
        return key_id, key


def _now(tenant: TenantDatabase) -> int:
    return int(tenant.query("SELECT extract(epoch FROM now())")[0][0])


async def find_deviations(client: httpx.AsyncClient, world: World, route: Route) -> dict[Case, str]:
    """Send every case of the route; returns those that did not end as the table says, with what happened."""
    slots = asyncio.Semaphore(_AT_A_TIME)

    async def attempt(case: Case) -> tuple[Case, str]:
        async with slots:
            return case, await _try(client, world, case)

    outcomes = await asyncio.gather(*(attempt(case) for case in cases(route)))
    return {case: outcome for case, outcome in outcomes if outcome != case.expected}


async def send(client: httpx.AsyncClient, world: World, case: Case) -> tuple[httpx.Response, str]:
    """Send the request of a case; returns the response, and the identifier of the object made for it, or ""."""
    path, identifier = case.route.path, ""
    if "{" in path:
        identifier = await asyncio.to_thread(world.add_object, path, case.target)
    response = await client.request(
        case.route.method,
        _IN_PATH.sub(identifier, path),
        headers=world.headers(case),
        **BODIES.get(case.route.operation, {}),
    )
    return response, identifier


async def _try(client: httpx.AsyncClient, world: World, case: Case) -> str:
    response, identifier = await send(client, world, case)
    path, outcome = case.route.path, _outcome(response)
    if identifier and outcome != "allowed" and not await asyncio.to_thread(world.exists, path, identifier):
        return f"{outcome}, but it had an effect"
    return outcome


def _outcome(response: httpx.Response) -> str:
    if response.status_code in {401, 404}:
        return str(response.status_code)
    if response.status_code == 403:
        return f"403 {response.json().get('required_permission')}"
    return "allowed" if response.status_code < 500 else f"failed: {response.text}"
