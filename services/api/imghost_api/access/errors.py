"""Failures of access checks."""

from imghost_api.access.permissions import MEMBER_ROLES, ROLE_PERMISSIONS, Permission, role_permissions
from imghost_core.errors import Forbidden, InvalidRequest, Unauthorized


class CredentialMissing(Unauthorized):
    """The request has no credential."""

    code, title = "unauthorized", "Authentication required"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class AmbiguousCredentials(InvalidRequest):
    """The request has more than one `X-API-Key` or `Authorization` header, which may name different accounts."""

    code, title = "ambiguous_credentials", "Two credentials"
    advice = "Send one header: either `X-API-Key` or `Authorization`."

    def __init__(self) -> None:
        super().__init__(
            "Send one X-API-Key or one Authorization header, of any scheme: two may name different accounts."
        )


class InvalidApiKey(Unauthorized):
    """The API key was never issued, or was mistyped."""

    code, title = "invalid_api_key", "Invalid API key"
    advice = "Check `X-API-Key` for a typing mistake, or create a new key."

    def __init__(self) -> None:
        super().__init__("Unknown API key. Check X-API-Key for a typing mistake, or create a new key.")


class ApiKeyRevoked(Unauthorized):
    """The API key was revoked by a member of its workspace."""

    code, title = "key_revoked", "API key revoked"
    advice = "Use another API key, or create a new one."

    def __init__(self) -> None:
        super().__init__("This API key was revoked. Use another one, or create a new key.")


class AccountBlocked(Forbidden):
    """The operators of this service blocked the account; none of its credentials is accepted."""

    code, title = "account_blocked", "Account blocked"
    advice = "Contact the operators of this service."

    def __init__(self) -> None:
        super().__init__("This account is blocked. Contact the operators of this service.")


class WorkspaceSuspended(Forbidden):
    """The operators of this service suspended the workspace."""

    code, title = "workspace_suspended", "Workspace suspended"
    advice = "Contact the operators of this service."

    def __init__(self) -> None:
        super().__init__("This workspace is suspended. Contact the operators of this service.")


class PermissionDenied(Forbidden):
    """The principal is authenticated, but its role or its key's scopes do not include the required permission."""

    code, title = "permission_denied", "Permission denied"
    advice = "Use a credential with the permission in `required_permission`, or ask a workspace owner for a role."

    def __init__(self, permission: Permission, *, role: str, by_api_key: bool) -> None:
        super().__init__(
            _explain(permission, role, by_api_key=by_api_key),
            extra={"required_permission": permission.value},
        )


def _explain(permission: Permission, role: str, *, by_api_key: bool) -> str:
    if by_api_key and permission in role_permissions(role, is_platform_admin=False):
        return (
            f"This request requires the permission {permission}, which the scopes of this API key do not include. "
            f"Use an access token, or an API key created with the scope {permission}."
        )
    roles = ", ".join(name for name in MEMBER_ROLES if permission in ROLE_PERMISSIONS[name])
    return (
        f"This request requires the permission {permission}, which the role {role} does not grant. "
        f"Ask an owner or admin of the workspace for one of these roles: {roles}."
    )
