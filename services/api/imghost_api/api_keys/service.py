"""Creating, listing and revoking API keys."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from uuid import UUID

from imghost_api.access.permissions import DEFAULT_SCOPES, Permission, sort_permissions
from imghost_api.api_keys import queries
from imghost_api.api_keys.errors import ApiKeyNotFound, RateLimitAbovePlan, TooManyApiKeys
from imghost_api.api_keys.queries import StoredApiKey
from imghost_api.crypto.digests import Digest
from imghost_api.db.engine import Session
from imghost_api.plans.limits import PlanLimits
from imghost_core import ids

DEFAULT_REQUESTS_PER_HOUR = 1000
MAX_KEYS = 100
_PREFIX_LENGTH = 7


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """The member a key acts for, and the limits of their workspace's plan."""

    user_id: UUID
    workspace_id: UUID
    limits: PlanLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey(StoredApiKey):
    """A key that was just created, with the secret itself."""

    key: str


async def create_api_key(
    session: Session,
    digest: Digest,
    owner: KeyOwner,
    *,
    name: str,
    rate_limit_per_hour: int | None = None,
    scopes: Iterable[Permission] = DEFAULT_SCOPES,
) -> NewApiKey:
    """Create a key. Raises `RateLimitAbovePlan` or `TooManyApiKeys`."""
    allowed = owner.limits.requests_per_hour
    if (rate_limit_per_hour or 0) > allowed:
        raise RateLimitAbovePlan(plan=owner.limits.plan, allowed=allowed)
    await queries.lock_workspace(session, owner.workspace_id)
    if await queries.count_api_keys(session, owner.workspace_id) >= MAX_KEYS:
        raise TooManyApiKeys(MAX_KEYS)
    key = ids.api_key()
    stored = await queries.add_api_key(
        session,
        workspace_id=owner.workspace_id,
        user_id=owner.user_id,
        key_name=name,
        prefix=key[:_PREFIX_LENGTH],
        last_four=key[-4:],
        key_hmac=digest(key),
        rate_limit_per_hour=rate_limit_per_hour or min(DEFAULT_REQUESTS_PER_HOUR, allowed),
        scopes=[scope.value for scope in sort_permissions(scopes)],
    )
    return NewApiKey(**asdict(stored), key=key)


async def list_api_keys(session: Session, workspace_id: UUID) -> list[StoredApiKey]:
    """The workspace's active keys, newest first."""
    return await queries.list_api_keys(session, workspace_id)


async def revoke_api_key(session: Session, workspace_id: UUID, key_id: UUID) -> None:
    """Revoke a key; the next request with it is rejected. Raises `ApiKeyNotFound`."""
    if not await queries.revoke_api_key(session, workspace_id, key_id):
        raise ApiKeyNotFound
