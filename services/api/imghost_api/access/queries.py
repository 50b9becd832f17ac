"""Accounts and credentials in the database."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from imghost_api.access.principal import Key, Limits, Principal
from imghost_api.accounts.profile.queries import taken_names
from imghost_api.db.engine import Session
from imghost_api.db.tables import ApiKey, LoginAttempt, Membership, Plan, User, Workspace
from imghost_core.ids import uuid7

TOUCH_EVERY = timedelta(minutes=1)


async def add_account(session: Session, user: dict[str, Any], *, workspace: str, plan: str) -> tuple[UUID, UUID]:
    """Insert a user who owns a new workspace on `plan`; returns both ids. Raises `Conflict` for a name in use."""
    made, home = User(id=uuid7(), **user), Workspace(id=uuid7(), name=workspace, plan_code=plan)
    session.add_all([made, home])
    with taken_names():
        await session.flush()
    session.add(Membership(workspace_id=home.id, user_id=made.id, role="owner"))
    await session.flush()
    return made.id, home.id


async def plan_limits(session: Session, code: str) -> Limits:
    """The figures of a plan."""
    return _limits(await session.get_one(Plan, code))


async def user_by_identifier(session: Session, identifier: str) -> User | None:
    """The account with this e-mail or user name, in any case; the two cannot be confused, only an e-mail has an @."""
    lowered = identifier.lower()
    matches = User.email == lowered if "@" in identifier else func.lower(User.username) == lowered
    found: User | None = await session.scalar(select(User).where(matches))
    return found


async def first_workspace(session: Session, user_id: UUID) -> UUID | None:
    """The workspace a sign-in leads to: the user's oldest."""
    found: UUID | None = await session.scalar(
        select(Membership.workspace_id).where(Membership.user_id == user_id).order_by(Membership.created_at).limit(1)
    )
    return found


async def store_password_hash(session: Session, user_id: UUID, password_hash: str) -> None:
    """Replace the hash of a user's password."""
    await session.execute(update(User).where(User.id == user_id).values(password_hash=password_hash))


async def count_attempt(session: Session, subject: bytes, window: timedelta) -> tuple[int, datetime]:
    """Count one sign-in attempt of `subject`; returns how many there were in its window and when the window began."""
    over = LoginAttempt.first_at < func.now() - window
    counted = (
        insert(LoginAttempt)
        .values(subject=subject, failures=1, first_at=func.now())
        .on_conflict_do_update(
            index_elements=[LoginAttempt.subject],
            set_={
                "failures": case((over, 1), else_=LoginAttempt.failures + 1),
                "first_at": case((over, func.now()), else_=LoginAttempt.first_at),
            },
        )
        .returning(LoginAttempt.failures, LoginAttempt.first_at)
    )
    failures, first_at = (await session.execute(counted)).one()
    return failures, first_at


async def forget_attempts(session: Session, subject: bytes) -> None:
    """Start `subject` afresh, after a sign-in that worked."""
    await session.execute(delete(LoginAttempt).where(LoginAttempt.subject == subject))


async def principal_by_token(session: Session, user_id: UUID, workspace_id: UUID) -> Principal | None:
    """The member as the database has it now; None when the user or the membership is gone."""
    found = (
        await session.execute(_members().where(Membership.user_id == user_id, Membership.workspace_id == workspace_id))
    ).one_or_none()
    return _principal(found, None) if found else None


async def principal_by_key(session: Session, key_hmac: bytes) -> Principal | None:
    """The owner of a key, revoked ones included; None when there is no such key."""
    keys = (
        _members()
        .add_columns(ApiKey)
        .join(ApiKey, (ApiKey.workspace_id == Membership.workspace_id) & (ApiKey.user_id == Membership.user_id))
    )
    found = (await session.execute(keys.where(ApiKey.key_hmac == key_hmac))).one_or_none()
    if found is None:
        return None
    key: ApiKey = found.ApiKey
    return _principal(found, Key(key.id, key.rate_limit_per_hour, key.is_active, key.revoked_at, key.last_used_at))


async def touch_key(session: Session, key_id: UUID, at: datetime) -> None:
    """Remember that the key was used, unless somebody beside us just did."""
    stale = ApiKey.last_used_at.is_(None) | (ApiKey.last_used_at <= at - TOUCH_EVERY)
    await session.execute(update(ApiKey).where(ApiKey.id == key_id, stale).values(last_used_at=at))


def _members() -> Select[Membership, User, Workspace, Plan]:
    return (
        select(Membership, User, Workspace, Plan)
        .select_from(Membership)
        .join(User, User.id == Membership.user_id)
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .join(Plan, Plan.code == Workspace.plan_code)
    )


def _principal(found: Row[*tuple[Any, ...]], key: Key | None) -> Principal:
    return Principal(
        found.User.id,
        found.Workspace.id,
        found.Membership.role,
        _limits(found.Plan),
        is_blocked=found.User.is_blocked,
        is_suspended=found.Workspace.suspended_at is not None,
        key=key,
    )


def _limits(plan: Plan) -> Limits:
    return Limits(
        plan.code,
        plan.uploads_per_day,
        plan.requests_per_hour,
        plan.storage_bytes,
        plan.bandwidth_bytes_per_month,
        plan.max_file_bytes,
    )
