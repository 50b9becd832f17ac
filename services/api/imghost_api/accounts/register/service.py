"""Registration: a user, a workspace of their own, a first API key and an access token."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from imghost_api.accounts.errors import CommonPassword
from imghost_api.accounts.queries import Account, address_hash, get_account, remember_address
from imghost_api.accounts.register import queries
from imghost_api.accounts.register.events import UserRegistered
from imghost_api.api_keys.service import KeyOwner, NewApiKey, create_api_key
from imghost_api.clock import Clock
from imghost_api.crypto.common_passwords import is_common
from imghost_api.crypto.digests import Digest
from imghost_api.crypto.passwords import Passwords, Source
from imghost_api.crypto.tokens import Claims, Tokens
from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.events.outbox import publish
from imghost_api.plans.queries import get_limits
from imghost_api.plans.rate_limits import RateLimit, count_request

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
class RegistrationLimits:
    """How many registrations are accepted per hour: from one address, and from all of them together."""

    per_address: int
    in_all: int


@dataclass(frozen=True, slots=True)
class RegistrationService:
    """Creates accounts."""

    database: Database
    passwords: Passwords
    tokens: Tokens
    digest: Digest
    limits: RegistrationLimits
    clock: Clock

    async def register(self, names: dict[str, str | None], *, password: str, address: str) -> Registered:
        """Create an account; `names` are columns of the user, `address` is where the request comes from.

        Raises `CommonPassword`, `RateLimitReached`, `Overloaded`, or `Conflict` for a name in use.
        """
        if is_common(password, *_own_words(names)):
            raise CommonPassword
        await self._count(address)
        columns = {**names, "password_hash": await self.passwords.hash(password, Source(address))}
        async with all_workspaces(self.database) as session:
            user_id, workspace_id = await queries.add_account(
                session, columns, workspace=str(names["first_name"]), plan=FIRST_PLAN
            )
            limits = await get_limits(session, FIRST_PLAN)
            owner = KeyOwner(user_id, workspace_id, limits)
            key = await create_api_key(session, self.digest, owner, name=FIRST_KEY)
            account = await get_account(session, user_id, workspace_id)
            await remember_address(session, user_id, address_hash(self.digest, user_id, address))
            await publish(session, UserRegistered(workspace_id=workspace_id, user_id=user_id))
        token, lifetime = self.tokens.issue(Claims(user_id, workspace_id), now=int(self.clock().timestamp()))
        return Registered(account, key, token, lifetime)

    async def _count(self, address: str) -> None:
        """Count an attempt in a transaction of its own, also one that fails: each shows whether a name is in use."""
        async with all_workspaces(self.database) as session:
            await count_request(session, [self._limit("address", address), self._limit("service", "")], self.clock())

    def _limit(self, policy: Literal["address", "service"], address: str) -> RateLimit:
        allowed = self.limits.per_address if policy == "address" else self.limits.in_all
        return RateLimit(policy, UUID(bytes=self.digest(f"registrations {address}")[:16]), allowed)


def _own_words(names: Mapping[str, str | None]) -> Iterator[str]:
    """The names of the user, and the part of the e-mail address before the @."""
    for name in names.values():
        yield from (name, name.partition("@")[0]) if name else ()
