"""Registration: a user, a workspace of their own, a first API key and an access token."""

from dataclasses import dataclass

from imghost_api.accounts.queries import Account, get_account
from imghost_api.accounts.register import queries
from imghost_api.accounts.register.events import UserRegistered
from imghost_api.api_keys.service import KeyOwner, NewApiKey, create_api_key
from imghost_api.clock import Clock
from imghost_api.crypto.digests import Digest
from imghost_api.crypto.passwords import Passwords
from imghost_api.crypto.tokens import Claims, Tokens
from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.events.outbox import publish
from imghost_api.plans.queries import get_limits

FIRST_PLAN = "free"
FIRST_KEY = "First key"


@dataclass(frozen=True, slots=True)
class Registered:
    """A new account, and the credentials issued with it."""

    account: Account
    api_key: NewApiKey
    token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class RegistrationService:
    """Creates accounts."""

    database: Database
    passwords: Passwords
    tokens: Tokens
    digest: Digest
    clock: Clock

    async def register(self, names: dict[str, str | None], *, password: str) -> Registered:
        """Create an account; `names` are columns of the user. Raises `Conflict` for a name in use."""
        columns = {**names, "password_hash": await self.passwords.hash(password)}
        async with all_workspaces(self.database) as session:
            user_id, workspace_id = await queries.add_account(
                session, columns, workspace=str(names["first_name"]), plan=FIRST_PLAN
            )
            limits = await get_limits(session, FIRST_PLAN)
            owner = KeyOwner(user_id, workspace_id, limits)
            key = await create_api_key(session, self.digest, owner, name=FIRST_KEY)
            account = await get_account(session, user_id, workspace_id)
            await publish(session, UserRegistered(workspace_id=workspace_id, user_id=user_id))
        token, lifetime = self.tokens.issue(Claims(user_id, workspace_id), now=int(self.clock().timestamp()))
        return Registered(account, key, token, lifetime)
