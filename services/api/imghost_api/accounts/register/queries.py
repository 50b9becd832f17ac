"""New accounts in the database."""

from typing import Any
from uuid import UUID

from imghost_api.access.tables import Membership, User
from imghost_api.accounts.queries import name_conflicts
from imghost_api.db.engine import Session
from imghost_api.plans.tables import Workspace
from imghost_core.ids import uuid7


async def add_account(session: Session, user: dict[str, Any], *, workspace: str, plan: str) -> tuple[UUID, UUID]:
    """Insert a user who owns a new workspace on `plan`; returns both ids. Raises `Conflict` for a name in use."""
    owner, owned = User(id=uuid7(), **user), Workspace(id=uuid7(), name=workspace, plan_code=plan)
    session.add_all([owner, owned])
    with name_conflicts():
        await session.flush()
    session.add(Membership(workspace_id=owned.id, user_id=owner.id, role="owner"))
    await session.flush()
    return owner.id, owned.id
