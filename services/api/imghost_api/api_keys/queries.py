"""API keys and rate windows in the database."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from imghost_api.api_keys.schemas import KeyView
from imghost_api.db.engine import Session
from imghost_api.db.tables import ApiKey, RateWindow, Workspace


async def lock_workspace(session: Session, workspace_id: UUID) -> None:
    """Let only one transaction at a time make keys in a workspace, so that their number stays exact."""
    await session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update())


async def count_keys(session: Session, workspace_id: UUID) -> int:
    """How many keys of a workspace work."""
    live = select(func.count()).where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
    return await session.scalar(live) or 0


async def add_key(session: Session, **columns: Any) -> KeyView:
    """Insert a key."""
    key = ApiKey(**columns)
    session.add(key)
    await session.flush()
    await session.refresh(key)
    return view(key, recent=0)


async def keys_of(session: Session, workspace_id: UUID) -> list[KeyView]:
    """The working keys of a workspace, newest first, with every request they ever made."""
    recent = select(func.coalesce(func.sum(RateWindow.used), 0)).where(RateWindow.subject == ApiKey.id)
    rows = await session.execute(
        select(ApiKey, recent.scalar_subquery())
        .where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.created_at.desc(), ApiKey.id.desc())
    )
    return [view(key, int(used)) for key, used in rows]


async def revoke(session: Session, workspace_id: UUID, key_id: UUID) -> bool:
    """Stop a key; False when the workspace has no such working key."""
    revoked = await session.scalar(
        update(ApiKey)
        .where(ApiKey.workspace_id == workspace_id, ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(is_active=False, revoked_at=func.now())
        .returning(ApiKey.id)
    )
    return revoked is not None


async def take(session: Session, subject: UUID, window: datetime, limit: int) -> int | None:
    """Count one request of `subject` in the hour that began at `window`, unless `limit` is used up.

    One statement under the row's lock, so exact whatever runs beside it. Returns how many are used now, or None.
    """
    count = (
        insert(RateWindow)
        .values(subject=subject, window_start=window, used=1)
        .on_conflict_do_update(
            index_elements=[RateWindow.subject, RateWindow.window_start],
            set_={"used": RateWindow.used + 1},
            where=RateWindow.used < limit,
        )
        .returning(RateWindow.used)
    )
    used: int | None = await session.scalar(count)
    return used


async def used_in(session: Session, subject: UUID, window: datetime) -> int:
    """How many requests of `subject` the hour has counted."""
    found = select(RateWindow.used).where(RateWindow.subject == subject, RateWindow.window_start == window)
    return await session.scalar(found) or 0


def view(key: ApiKey, recent: int) -> KeyView:
    """A key as its owner sees it; `recent` is what the rate windows hold of its requests."""
    return KeyView(
        id=key.id,
        key_name=key.key_name,
        prefix=key.prefix,
        last_four=key.last_four,
        is_active=key.is_active,
        rate_limit_per_hour=key.rate_limit_per_hour,
        requests_count=key.requests_count + recent,
        last_used_at=key.last_used_at,
        created_at=key.created_at,
    )
