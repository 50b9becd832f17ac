"""Who a request acts for: one type for every kind of credential."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from imghost_api.access.permissions import Permission, role_permissions
from imghost_api.plans.limits import PlanLimits


@dataclass(frozen=True, slots=True)
class ApiKeyCredential:
    """The API key that a request was sent with."""

    id: UUID
    rate_limit_per_hour: int
    is_active: bool
    revoked_at: datetime | None
    last_used_at: datetime | None
    scopes: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class Principal:
    """A user acting in a workspace, by access token (`api_key` is None) or by API key.

    `metadata_policy` is the workspace's own; None is the tenant's.
    """

    user_id: UUID
    workspace_id: UUID
    role: str
    limits: PlanLimits
    is_platform_admin: bool
    is_blocked: bool
    is_suspended: bool
    metadata_policy: str | None = None
    api_key: ApiKeyCredential | None = None

    @property
    def permissions(self) -> frozenset[Permission]:
        """The permissions of the role, limited to the scopes of the API key if one is used."""
        granted = role_permissions(self.role, is_platform_admin=self.is_platform_admin)
        return granted & self.api_key.scopes if self.api_key else granted
