"""Reading and changing one's own account."""

from imghost_api.access.principal import Principal
from imghost_api.accounts.profile import queries
from imghost_api.accounts.profile.schemas import AccountChange, UserView
from imghost_api.db.engine import Session


async def read(session: Session, user: Principal) -> UserView:
    """The account of the caller."""
    return await queries.user_view(session, user.user_id, user.workspace_id)


async def change(session: Session, user: Principal, wanted: AccountChange) -> UserView:
    """Change the fields that were given; raises `Conflict` for a user name in use."""
    await queries.change_user(session, user.user_id, wanted.model_dump(exclude_unset=True))
    return await read(session, user)
