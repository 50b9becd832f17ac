"""Sign-in by password."""

from dataclasses import dataclass

from imghost_api.access.errors import AccountBlocked
from imghost_api.access.tables import User
from imghost_api.accounts.queries import Account, address_hash, get_account, remember_address
from imghost_api.accounts.sessions import queries
from imghost_api.accounts.sessions.errors import InvalidCredentials, NoWorkspace
from imghost_api.accounts.sessions.throttle import Throttle
from imghost_api.clock import Clock
from imghost_api.crypto.digests import Digest
from imghost_api.crypto.passwords import Passwords, Source
from imghost_api.crypto.tokens import Claims, Tokens
from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An access token, and the account it was issued to."""

    account: Account
    token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class SessionService:
    """Issues access tokens."""

    database: Database
    passwords: Passwords
    tokens: Tokens
    throttle: Throttle
    digest: Digest
    clock: Clock

    async def sign_in(self, identifier: str, password: str, address: str) -> SignedIn:
        """A token for the right password; a wrong one and an unknown name get the same response after the same work.

        Raises `InvalidCredentials`, `TooManySignIns`, `Overloaded`, `AccountBlocked` or `NoWorkspace`.
        """
        async with all_workspaces(self.database) as session:
            user = await queries.find_user(session, identifier)
            known = user is not None and await queries.is_known(session, user.id, self._hash(user, address))
            attempt = self.throttle.attempt(identifier, address, known=known)
            pause = await self.throttle.count(session, attempt)
        source = Source(f"{user.id} {address}", known=True) if user and known else Source(address)
        stored = user.password_hash if user else None
        matches, better_hash = await self.passwords.verify(password, stored, source, pause=pause)
        if not matches or user is None:
            raise InvalidCredentials
        if user.is_blocked:
            raise AccountBlocked
        async with all_workspaces(self.database) as session:
            await remember_address(session, user.id, self._hash(user, address))
            if better_hash:
                await queries.store_password_hash(session, user.id, better_hash)
            workspace_id = await queries.find_first_workspace(session, user.id)
            if workspace_id is None:
                raise NoWorkspace
            account = await get_account(session, user.id, workspace_id)
            await self.throttle.forgive(session, attempt)  # last: it locks counters that others wait for
        token, lifetime = self.tokens.issue(Claims(user.id, workspace_id), now=int(self.clock().timestamp()))
        return SignedIn(account, token, lifetime)

    def _hash(self, user: User, address: str) -> bytes:
        return address_hash(self.digest, user.id, address)
