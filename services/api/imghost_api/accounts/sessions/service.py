"""Sign-in by password."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from imghost_api.access.errors import AccountBlocked
from imghost_api.accounts.queries import Account, get_account
from imghost_api.accounts.sessions import queries
from imghost_api.accounts.sessions.errors import InvalidCredentials, NoWorkspace, TooManySignIns
from imghost_api.clock import Clock
from imghost_api.crypto.passwords import Passwords
from imghost_api.crypto.tokens import Claims, Tokens
from imghost_api.db.engine import Database, Session
from imghost_api.db.system import all_workspaces


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An access token, and the account it was issued to."""

    account: Account
    token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many sign-in attempts one account has in a window."""

    attempts: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class SessionService:
    """Issues access tokens."""

    database: Database
    passwords: Passwords
    tokens: Tokens
    throttle: Throttle
    clock: Clock

    async def sign_in(self, identifier: str, password: str) -> SignedIn:
        """A token for the right password; a wrong one and an unknown name get the same response after the same work.

        Raises `InvalidCredentials`, `TooManySignIns`, `AccountBlocked` or `NoWorkspace`.
        """
        async with all_workspaces(self.database) as session:
            user = await queries.find_user(session, identifier)
            subject = hashlib.sha256(f"user {user.id}".encode() if user else identifier.lower().encode()).digest()
            await self._count_attempt(session, subject)
        stored = user.password_hash if user else None
        matches, better_hash = await self.passwords.verify(password, stored)
        if not matches or user is None:
            raise InvalidCredentials
        if user.is_blocked:
            raise AccountBlocked
        async with all_workspaces(self.database) as session:
            await queries.reset_attempts(session, subject)
            if better_hash:
                await queries.store_password_hash(session, user.id, better_hash)
            workspace_id = await queries.find_first_workspace(session, user.id)
            if workspace_id is None:
                raise NoWorkspace
            account = await get_account(session, user.id, workspace_id)
        token, lifetime = self.tokens.issue(Claims(user.id, workspace_id), now=int(self.clock().timestamp()))
        return SignedIn(account, token, lifetime)

    async def _count_attempt(self, session: Session, subject: bytes) -> None:
        """Count before the password is verified: concurrent attempts are no way around the limit."""
        attempts, first_at = await queries.count_attempt(session, subject, self.throttle.window)
        if attempts > self.throttle.attempts:
            wait = int((first_at + self.throttle.window - self.clock()).total_seconds()) + 1
            raise TooManySignIns(wait)
