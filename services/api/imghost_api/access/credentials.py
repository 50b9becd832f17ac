"""The one check that every credential passes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from imghost_api.access import queries
from imghost_api.access.errors import AccountBlocked, ApiKeyRevoked, InvalidApiKey, WorkspaceSuspended
from imghost_api.access.principal import Principal
from imghost_api.clock import Clock
from imghost_api.crypto.digests import Digest
from imghost_api.crypto.errors import InvalidToken
from imghost_api.crypto.tokens import Tokens
from imghost_api.db.engine import Database, Session
from imghost_api.db.system import all_workspaces
from imghost_api.plans.rate_limits import RateLimit, RateLimitStatus, count_request
from imghost_core import ids
from imghost_core.errors import Unauthorized
from imghost_core.fair_queue import FairQueue

FindPrincipal = Callable[[Session], Awaitable[Principal | None]]


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Turns a credential into a principal, and counts the request against the rate limits.

    The addresses that requests come from take turns, so that a flood from one does not keep the connections to the
    database from the others. Its methods raise `Unauthorized`, `Forbidden`, `TooManyRequests` or `Overloaded`.
    """

    database: Database
    tokens: Tokens
    digest: Digest
    clock: Clock
    turns: FairQueue
    address: str

    async def by_token(self, token: str, *, counted: bool) -> tuple[Principal, list[RateLimitStatus]]:
        """The member an access token was issued to; `counted` says whether the request counts."""
        claims = self.tokens.read(token, now=int(self.clock().timestamp()))
        missing = InvalidToken("This account no longer exists. Sign in again.")
        return await self._admit(
            lambda session: queries.find_principal_by_member(session, claims.user_id, claims.workspace_id),
            missing,
            counted=counted,
        )

    async def by_api_key(self, key: str) -> tuple[Principal, list[RateLimitStatus]]:
        """The member an API key belongs to."""
        unknown = InvalidApiKey()
        if not ids.is_api_key(key):
            raise unknown
        digest = self.digest(key)
        return await self._admit(
            lambda session: queries.find_principal_by_api_key(session, digest), unknown, counted=True
        )

    async def _admit(
        self, find: FindPrincipal, missing: Unauthorized, *, counted: bool
    ) -> tuple[Principal, list[RateLimitStatus]]:
        """Use one short transaction, so that no counter stays locked while the request is handled."""
        now = self.clock()
        async with self.turns.turn(self.address), all_workspaces(self.database) as session:
            principal = await find(session)
            if principal is None:
                raise missing
            _check(principal)
            statuses = await count_request(session, rate_limits_of(principal), now) if counted else []
            key = principal.api_key
            if key and (key.last_used_at is None or key.last_used_at <= now - queries.TOUCH_INTERVAL):
                await queries.touch_api_key(session, key.id, now)
        return principal, statuses


async def require_valid(session: Session, principal: Principal) -> None:
    """Check again, in the transaction of an effect, what was checked when the request began; raises the same errors.

    For requests that take long: what was revoked, blocked or suspended in between has no effect.
    """
    if principal.api_key:
        found = await queries.find_principal_by_key_id(session, principal.api_key.id)
    else:
        found = await queries.find_principal_by_member(session, principal.user_id, principal.workspace_id)
    if found is None:
        raise InvalidApiKey if principal.api_key else InvalidToken("This account no longer exists. Sign in again.")
    _check(found)


def rate_limits_of(principal: Principal) -> list[RateLimit]:
    """The limits a request of this principal counts against: of the plan, and of the key if one was used."""
    per_plan = principal.limits.requests_per_hour
    limits = [RateLimit("plan", principal.workspace_id, per_plan)]
    if key := principal.api_key:
        limits.append(RateLimit("key", key.id, min(key.rate_limit_per_hour, per_plan)))
    return limits


def _check(principal: Principal) -> None:
    if principal.api_key and (principal.api_key.revoked_at or not principal.api_key.is_active):
        raise ApiKeyRevoked
    if principal.is_blocked:
        raise AccountBlocked
    if principal.is_suspended:
        raise WorkspaceSuspended
