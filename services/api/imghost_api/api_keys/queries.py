"""API keys in the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update

from imghost_api.access.permissions import Permission, sort_permissions, to_scopes
from imghost_api.access.tables import ApiKey
from imghost_api.db.engine import Session
from imghost_api.plans.tables import RateWindow, Workspace

# Deletes the rate windows of past hours, and adds what they counted of a key's requests to the key.
_FOLD_WINDOWS = text("""
    WITH expired AS (
        DELETE FROM rate_windows WHERE window_start < now() - interval '2 hours' RETURNING subject, used
    ), sums AS (
        SELECT subject, sum(used) AS used FROM expired GROUP BY subject
    )
    UPDATE api_keys k SET requests_count = k.requests_count + sums.used FROM sums WHERE k.id = sums.subject
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredApiKey:
    """An API key as its owner sees it; `requests_count` includes the current hours."""

    id: UUID
    key_name: str
    prefix: str
    last_four: str
    is_active: bool
    rate_limit_per_hour: int
    scopes: list[Permission]
    requests_count: int
    last_used_at: datetime | None
    created_at: datetime


async def lock_workspace(session: Session, workspace_id: UUID) -> None:
    """Let only one transaction at a time create keys in a workspace, so that their number stays exact."""
    await session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update())


async def count_api_keys(session: Session, workspace_id: UUID) -> int:
    """The number of active keys of a workspace."""
    active = select(func.count()).where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
    return await session.scalar(active) or 0


async def add_api_key(session: Session, **columns: Any) -> StoredApiKey:
    """Insert a key and return it as stored."""
    key = ApiKey(**columns)
    session.add(key)
    await session.flush()
    await session.refresh(key)
    return _to_stored(key, recent=0)


async def list_api_keys(session: Session, workspace_id: UUID) -> list[StoredApiKey]:
    """The active keys of a workspace, newest first."""
    recent = select(func.coalesce(func.sum(RateWindow.used), 0)).where(RateWindow.subject == ApiKey.id)
    rows = await session.execute(
        select(ApiKey, recent.scalar_subquery())
        .where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.created_at.desc(), ApiKey.id.desc())
    )
    return [_to_stored(key, int(used)) for key, used in rows]


async def revoke_api_key(session: Session, workspace_id: UUID, key_id: UUID) -> bool:
    """Revoke a key; False when the workspace has no active key with this id."""
    revoked = await session.scalar(
        update(ApiKey)
        .where(ApiKey.workspace_id == workspace_id, ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(is_active=False, revoked_at=func.now())
        .returning(ApiKey.id)
    )
    return revoked is not None


async def fold_rate_windows(session: Session) -> None:
    """Delete the rate windows of past hours, adding their counts to the keys."""
    await session.execute(_FOLD_WINDOWS)


def _to_stored(key: ApiKey, recent: int) -> StoredApiKey:
    """`recent` is the number of requests in the rate windows of the key."""
    return StoredApiKey(
        id=key.id,
        key_name=key.key_name,
        prefix=key.prefix,
        last_four=key.last_four,
        is_active=key.is_active,
        rate_limit_per_hour=key.rate_limit_per_hour,
        scopes=sort_permissions(to_scopes(key.scopes)),
        requests_count=key.requests_count + recent,
        last_used_at=key.last_used_at,
        created_at=key.created_at,
    )
