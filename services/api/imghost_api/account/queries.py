"""Accounts in the database."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from imghost_api.account.schemas import UserView
from imghost_api.db.engine import Session
from imghost_api.db.tables import Plan, User, Workspace


async def user_view(session: Session, user_id: UUID, workspace_id: UUID) -> UserView:
    """The user, beside the workspace whose use is shown."""
    user, workspace, plan = (
        await session.execute(
            select(User, Workspace, Plan)
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
    """Set some columns of one user; raises `IntegrityError` when the user name is taken."""
    await session.execute(update(User).where(User.id == user_id).values(**values))
