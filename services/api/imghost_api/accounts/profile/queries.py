"""Changes of accounts in the database."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import update

from imghost_api.access.tables import User
from imghost_api.accounts.queries import name_conflicts
from imghost_api.db.engine import Session


async def update_user(session: Session, user_id: UUID, values: Mapping[str, str | None]) -> None:
    """Set columns of one user; raises `Conflict` for a name in use."""
    with name_conflicts():
        await session.execute(update(User).where(User.id == user_id).values(**values))
