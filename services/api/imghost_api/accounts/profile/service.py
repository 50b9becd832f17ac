"""Reading and changing one's own account."""

from collections.abc import Mapping

from imghost_api.access.principal import Principal
from imghost_api.accounts.profile import queries
from imghost_api.accounts.queries import Account, get_account
from imghost_api.db.engine import Session


async def read_account(session: Session, principal: Principal) -> Account:
    """The account of the signed-in user."""
    return await get_account(session, principal.user_id, principal.workspace_id)


async def change_account(session: Session, principal: Principal, changes: Mapping[str, str | None]) -> Account:
    """Change the given fields; raises `Conflict` for a user name in use."""
    await queries.update_user(session, principal.user_id, changes)
    return await read_account(session, principal)
