"""Failures of access checks."""

from imghost_api.access.permissions import MEMBER_ROLES, ROLE_PERMISSIONS, Permission, Role
from imghost_core.errors import Forbidden


class PermissionDenied(Forbidden):
    """The principal is authenticated, but its role or its key's scopes do not include the required permission."""

    code = "permission_denied"

    def __init__(self, permission: Permission, *, role: Role, by_api_key: bool) -> None:
        super().__init__(
            _explain(permission, role, by_api_key=by_api_key),
            extra={"required_permission": permission.value},
        )


def _explain(permission: Permission, role: Role, *, by_api_key: bool) -> str:
    if permission in ROLE_PERMISSIONS[role] and by_api_key:
        return (
            f"This request requires the permission {permission}, which the scopes of this API key do not include. "
            f"Use an access token, or an API key created with the scope {permission}."
        )
    roles = ", ".join(name for name in MEMBER_ROLES if permission in ROLE_PERMISSIONS[name])
    return (
        f"This request requires the permission {permission}, which the role {role} does not grant. "
        f"Ask an owner or admin of the workspace for one of these roles: {roles}."
    )
