"""Accounts in the database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from imghost_api.access.tables import User
from imghost_api.accounts.errors import EmailTaken, UsernameTaken
from imghost_api.accounts.tables import KnownAddress
from imghost_api.crypto.digests import Digest
from imghost_api.db.engine import Session
from imghost_api.plans.tables import Plan, Workspace

_CONFLICTS: Mapping[str, type[EmailTaken | UsernameTaken]] = {
    "uq_users_email": EmailTaken,
    "uq_users_username": UsernameTaken,
}


@dataclass(frozen=True, slots=True)
class Account:
    """A user, with the plan and the usage of the workspace they act in."""

    id: UUID
    first_name: str
    last_name: str | None
    username: str
    email: str
    is_admin: bool
    is_verified: bool
    plan_type: str
    upload_limit_per_day: int
    storage_used: int
    delete_scheduled_for: datetime | None
    created_at: datetime


async def get_account(session: Session, user_id: UUID, workspace_id: UUID) -> Account:
    """The account of a user in a workspace."""
    user, workspace, plan = (
        await session.execute(
            select(User, Workspace, Plan)
            .select_from(User)
            .join(Workspace, Workspace.id == workspace_id)
            .join(Plan, Plan.code == Workspace.plan_code)
            .where(User.id == user_id)
        )
    ).one()
    return Account(
        id=user.id,
        first_name=user.first_name,
        last_name=user.last_name,
        username=user.username,
        email=user.email,
        is_admin=user.is_admin,
        is_verified=user.is_verified,
        plan_type=plan.code,
        upload_limit_per_day=plan.uploads_per_day,
        storage_used=workspace.storage_used,
        delete_scheduled_for=user.delete_scheduled_for,
        created_at=user.created_at,
    )


def address_hash(digest: Digest, user_id: UUID, address: str) -> bytes:
    """Under which an account's address is stored: the same address of another account has another hash."""
    return digest(f"address {user_id} {address}")


async def remember_address(session: Session, user_id: UUID, address: bytes) -> None:
    """Note that the account registered or signed in from `address`, a keyed hash, just now."""
    seen = insert(KnownAddress).values(user_id=user_id, address=address)
    seen = seen.on_conflict_do_update(
        index_elements=[KnownAddress.user_id, KnownAddress.address], set_={"last_used_at": func.now()}
    )
    await session.execute(seen)


@contextmanager
def name_conflicts() -> Iterator[None]:
    """Turn a violated unique constraint of users into `EmailTaken` or `UsernameTaken`."""
    try:
        yield
    except IntegrityError as error:
        for constraint, conflict in _CONFLICTS.items():
            if constraint in str(error.orig):
                raise conflict from error
        raise
