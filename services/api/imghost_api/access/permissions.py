"""Permissions, the roles that grant them, and the scopes an API key may have."""

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Permission(StrEnum):
    """What a route requires, as `object:action`."""

    IMAGES_READ = "images:read"
    IMAGES_WRITE = "images:write"
    IMAGES_DELETE = "images:delete"
    QUOTA_READ = "quota:read"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"
    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"


class KeyScope(StrEnum):
    """The permissions an API key may have: a leaked key must not create further keys or change the account."""

    IMAGES_READ = Permission.IMAGES_READ.value
    IMAGES_WRITE = Permission.IMAGES_WRITE.value
    IMAGES_DELETE = Permission.IMAGES_DELETE.value
    QUOTA_READ = Permission.QUOTA_READ.value


class Role(StrEnum):
    """What a user is in a workspace; `PLATFORM_ADMIN` is a property of the user, in addition to that."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    PLATFORM_ADMIN = "platform admin"


DESCRIPTIONS: Mapping[Permission, str] = {
    Permission.IMAGES_READ: "List the images of the workspace, and download originals",
    Permission.IMAGES_WRITE: "Upload images",
    Permission.IMAGES_DELETE: "Delete images",
    Permission.QUOTA_READ: "Read the limits of the plan and their usage",
    Permission.KEYS_READ: "List the API keys of the workspace",
    Permission.KEYS_WRITE: "Create and revoke API keys",
    Permission.SETTINGS_READ: "Read the settings of the workspace",
    Permission.SETTINGS_WRITE: "Change the settings of the workspace",
    Permission.ACCOUNT_READ: "Read the own account",
    Permission.ACCOUNT_WRITE: "Change the own account",
}

_ALL = frozenset(Permission)
_VIEWER = frozenset(
    {
        Permission.IMAGES_READ,
        Permission.QUOTA_READ,
        Permission.KEYS_READ,
        Permission.SETTINGS_READ,
        Permission.ACCOUNT_READ,
        Permission.ACCOUNT_WRITE,  # of the user, not of the workspace
    }
)
_MEMBER = _VIEWER | {Permission.IMAGES_WRITE, Permission.IMAGES_DELETE, Permission.KEYS_WRITE}

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: _ALL,
    Role.ADMIN: _ALL,
    Role.MEMBER: _MEMBER,
    Role.VIEWER: _VIEWER,
    Role.PLATFORM_ADMIN: _ALL,
}

MEMBER_ROLES = (Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER)

KEY_SCOPES = frozenset(Permission(scope) for scope in KeyScope)
DEFAULT_SCOPES = KEY_SCOPES


def role_permissions(role: str, *, is_platform_admin: bool) -> frozenset[Permission]:
    """What a member may do: the permissions of their role, and of a platform admin in addition.

    A role that no member of this release has, written by a later release, grants nothing.
    """
    granted = ROLE_PERMISSIONS[Role(role)] if role in MEMBER_ROLES else frozenset[Permission]()
    return granted | ROLE_PERMISSIONS[Role.PLATFORM_ADMIN] if is_platform_admin else granted


def to_scopes(stored: Iterable[str]) -> frozenset[Permission]:
    """The scopes in a row. Unknown ones, written by a later release, grant nothing."""
    names = frozenset(stored)
    return frozenset(scope for scope in KEY_SCOPES if scope.value in names)


def sort_permissions(permissions: Iterable[Permission]) -> list[Permission]:
    """In the order of the enum, the same everywhere."""
    chosen = frozenset(permissions)
    return [permission for permission in Permission if permission in chosen]
