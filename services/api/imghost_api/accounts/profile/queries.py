"""Accounts in the database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from imghost_api.accounts.profile.schemas import UserView
from imghost_api.db.engine import Session
from imghost_api.db.tables import Plan, User, Workspace
from imghost_core.errors import Conflict

_TAKEN = {
    "uq_users_email": ("email_taken", "email", "An account with this e-mail exists. Sign in, or use another one."),
    "uq_users_username": ("username_taken", "username", "This user name is taken. Choose another one."),
}


async def user_view(session: Session, user_id: UUID, workspace_id: UUID) -> UserView:
    """The user, beside the workspace whose use is shown."""
    user, workspace, plan = (
        await session.execute(
            select(User, Workspace, Plan)
            .select_from(User)
            .join(Workspace, Workspace.id == workspace_id)
            .join(Plan, Plan.code == Workspace.plan_code)
            .where(User.id == user_id)
        )
    ).one()
    names = ("id", "first_name", "last_name", "username", "email", "is_admin", "is_verified")
    return UserView(
        **{name: getattr(user, name) for name in names},
        plan_type=plan.code,
        upload_limit_per_day=plan.uploads_per_day,
        storage_used=workspace.storage_used,
        delete_scheduled_for=user.delete_scheduled_for,
        created_at=user.created_at,
    )


async def change_user(session: Session, user_id: UUID, values: Mapping[str, Any]) -> None:
    """Set some columns of one user; raises `Conflict` for a name in use."""
    with taken_names():
        await session.execute(update(User).where(User.id == user_id).values(**values))


@contextmanager
def taken_names() -> Iterator[None]:
    """Turn a clash with another account into a `Conflict` that names the field."""
    try:
        yield
    except IntegrityError as error:
        for constraint, (code, field, message) in _TAKEN.items():
            if constraint in str(error.orig):
                raise Conflict(message, code=code, errors=[{"field": field, "message": message}]) from error
        raise
