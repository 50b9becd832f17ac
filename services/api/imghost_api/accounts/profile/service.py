"""Reading and changing one's own account."""

from collections.abc import Mapping

from imghost_api.access.principal import Principal
from imghost_api.accounts.profile import queries
from imghost_api.accounts.queries import Account, get_account
from imghost_api.db.engine import Session


async def read_account(session: Session, user: Principal) -> Account:
    """The account of the caller."""
    return await get_account(session, user.user_id, user.workspace_id)


async def change_account(session: Session, user: Principal, changes: Mapping[str, str | None]) -> Account:
    """Change the given fields; raises `Conflict` for a user name in use."""
    await queries.update_user(session, user.user_id, changes)
    return await read_account(session, user)
