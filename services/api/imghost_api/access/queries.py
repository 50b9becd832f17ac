"""Principals in the database."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, select, update

from imghost_api.access.permissions import to_scopes
from imghost_api.access.principal import ApiKeyCredential, Principal
from imghost_api.access.tables import ApiKey, Membership, User
from imghost_api.db.engine import Session
from imghost_api.plans.queries import to_limits
from imghost_api.plans.tables import Plan, Workspace

TOUCH_INTERVAL = timedelta(minutes=1)


async def find_principal_by_member(session: Session, user_id: UUID, workspace_id: UUID) -> Principal | None:
    """The member as the database has it now; None when the user or the membership no longer exists."""
    row = (
        await session.execute(
            _select_members().where(Membership.user_id == user_id, Membership.workspace_id == workspace_id)
        )
    ).one_or_none()
    return _to_principal(row, None) if row else None


async def find_principal_by_api_key(session: Session, key_hmac: bytes) -> Principal | None:
    """The owner of an API key, also of a revoked one; None when there is no such key."""
    return await _find_by_key(session, ApiKey.key_hmac == key_hmac)


async def find_principal_by_key_id(session: Session, key_id: UUID) -> Principal | None:
    """The same by the id of the key."""
    return await _find_by_key(session, ApiKey.id == key_id)


async def _find_by_key(session: Session, condition: ColumnElement[bool]) -> Principal | None:
    keys = (
        _select_members()
        .add_columns(ApiKey)
        .join(ApiKey, (ApiKey.workspace_id == Membership.workspace_id) & (ApiKey.user_id == Membership.user_id))
    )
    row = (await session.execute(keys.where(condition))).one_or_none()
    if row is None:
        return None
    key: ApiKey = row.ApiKey
    credential = ApiKeyCredential(
        key.id, key.rate_limit_per_hour, key.is_active, key.revoked_at, key.last_used_at, to_scopes(key.scopes)
    )
    return _to_principal(row, credential)


async def touch_api_key(session: Session, key_id: UUID, at: datetime) -> None:
    """Set when the key was last used, unless a concurrent request just did."""
    stale = ApiKey.last_used_at.is_(None) | (ApiKey.last_used_at <= at - TOUCH_INTERVAL)
    await session.execute(update(ApiKey).where(ApiKey.id == key_id, stale).values(last_used_at=at))


def _select_members() -> Select[Membership, User, Workspace, Plan]:
    return (
        select(Membership, User, Workspace, Plan)
        .select_from(Membership)
        .join(User, User.id == Membership.user_id)
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .join(Plan, Plan.code == Workspace.plan_code)
    )


def _to_principal(row: Row[*tuple[Any, ...]], api_key: ApiKeyCredential | None) -> Principal:
    return Principal(
        row.User.id,
        row.Workspace.id,
        row.Membership.role,
        to_limits(row.Plan),
        is_platform_admin=row.User.is_admin,
        is_blocked=row.User.is_blocked,
        is_suspended=row.Workspace.suspended_at is not None,
        metadata_policy=row.Workspace.metadata_policy,
        api_key=api_key,
    )
