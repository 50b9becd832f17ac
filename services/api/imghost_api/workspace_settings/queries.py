"""Settings of workspaces in the database."""

from uuid import UUID

from sqlalchemy import select, update

from imghost_api.db.engine import Session
from imghost_api.plans.tables import Workspace


async def get_metadata_policy(session: Session, workspace_id: UUID) -> str | None:
    """The workspace's own policy; None is the tenant's."""
    return (await session.execute(select(Workspace.metadata_policy).where(Workspace.id == workspace_id))).scalar_one()


async def set_metadata_policy(session: Session, workspace_id: UUID, policy: str | None) -> None:
    """Set the workspace's own policy; None returns to the tenant's."""
    await session.execute(update(Workspace).where(Workspace.id == workspace_id).values(metadata_policy=policy))
