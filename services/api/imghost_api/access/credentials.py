"""Registration, sign-in and the one check that every credential goes through."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from imghost_api.access import queries
from imghost_api.access.principal import Principal
from imghost_api.accounts.profile.queries import user_view
from imghost_api.accounts.sessions.schemas import Login, RegisteredAnswer, Registration, TokenAnswer
from imghost_api.api_keys import service as keys
from imghost_api.api_keys.schemas import NewKey
from imghost_api.context import Resources
from imghost_api.crypto.tokens import Claims
from imghost_api.db.engine import ALL_WORKSPACES, Session
from imghost_api.plans import rate_limits as limits
from imghost_core import ids
from imghost_core.errors import Forbidden, TooManyRequests, Unauthorized

FIRST_PLAN = "free"
FIRST_KEY = "First key"
Look = Callable[[Session], Awaitable[Principal | None]]


async def register(resources: Resources, wanted: Registration) -> RegisteredAnswer:
    """A new user with a workspace of their own, the free plan and a first key. Raises `Conflict` for a name in use."""
    password_hash = await resources.passwords.hash(wanted.password.get_secret_value())
    columns = {**wanted.model_dump(exclude={"password"}), "password_hash": password_hash}
    async with resources.database.transaction(ALL_WORKSPACES) as session:
        user_id, workspace_id = await queries.add_account(
            session, columns, workspace=wanted.first_name, plan=FIRST_PLAN
        )
        key = await keys.create(
            session,
            resources.digest,
            workspace_id=workspace_id,
            user_id=user_id,
            limits=await queries.plan_limits(session, FIRST_PLAN),
            wanted=NewKey(key_name=FIRST_KEY),
        )
        user = await user_view(session, user_id, workspace_id)
    token, lifetime = resources.tokens.issue(Claims(user_id, workspace_id), now=_seconds(resources))
    return RegisteredAnswer(token=token, expires_in=lifetime, user=user, api_key=key)


async def login(resources: Resources, given: Login) -> TokenAnswer:
    """A token for the right password; wrong and unknown get the same answer after the same work.

    Raises `Unauthorized`, `TooManyRequests` after too many failures, and `Forbidden` for a blocked account.
    """
    async with resources.database.transaction(ALL_WORKSPACES) as session:
        user = await queries.user_by_identifier(session, given.identifier)
        subject = hashlib.sha256(f"user {user.id}".encode() if user else given.identifier.lower().encode()).digest()
        await _throttle(resources, session, subject)
    stored = user.password_hash if user else None
    fits, better_hash = await resources.passwords.verify(given.password.get_secret_value(), stored)
    if not fits or user is None:
        raise Unauthorized("The e-mail or user name, or the password, is wrong.", code="invalid_credentials")
    if user.is_blocked:
        raise blocked()
    async with resources.database.transaction(ALL_WORKSPACES) as session:
        await queries.forget_attempts(session, subject)
        if better_hash:
            await queries.store_password_hash(session, user.id, better_hash)
        workspace_id = await queries.first_workspace(session, user.id)
        if workspace_id is None:
            raise Forbidden("This account belongs to no workspace. Ask for an invitation.", code="no_workspace")
        view = await user_view(session, user.id, workspace_id)
    token, lifetime = resources.tokens.issue(Claims(user.id, workspace_id), now=_seconds(resources))
    return TokenAnswer(token=token, expires_in=lifetime, user=view)


async def by_token(resources: Resources, token: str, *, counted: bool) -> tuple[Principal, list[limits.Allowance]]:
    """The member an access token speaks for. Raises `Unauthorized`, `Forbidden`, `TooManyRequests`."""
    claims = resources.tokens.read(token, now=_seconds(resources))
    missing = Unauthorized("This account no longer exists. Sign in again.", code="invalid_token")
    return await _admit(
        resources,
        lambda session: queries.principal_by_token(session, claims.user_id, claims.workspace_id),
        missing,
        counted=counted,
    )


async def by_key(resources: Resources, key: str) -> tuple[Principal, list[limits.Allowance]]:
    """The member an API key belongs to. Raises as `by_token` does."""
    unknown = Unauthorized(
        "This API key is not known. Check X-API-Key for a typing mistake, or make a new key.", code="invalid_api_key"
    )
    if not ids.is_api_key(key):
        raise unknown
    digest = resources.digest(key)
    return await _admit(resources, lambda session: queries.principal_by_key(session, digest), unknown, counted=True)


async def _admit(
    resources: Resources, look: Look, missing: Unauthorized, *, counted: bool
) -> tuple[Principal, list[limits.Allowance]]:
    """One short transaction of its own, so that no counter stays locked while the request is worked on."""
    now = resources.clock()
    async with resources.database.transaction(ALL_WORKSPACES) as session:
        principal = await look(session)
        if principal is None:
            raise missing
        _check(principal)
        allowances = await limits.take(session, principal, now) if counted else []
        if principal.key and _untouched(principal.key.last_used_at, now):
            await queries.touch_key(session, principal.key.id, now)
    return principal, allowances


def blocked() -> Forbidden:
    """What a blocked user gets, whatever they sign in with."""
    return Forbidden("This account is blocked. Write to the operators of this service.", code="account_blocked")


def _check(principal: Principal) -> None:
    if principal.key and (principal.key.revoked_at or not principal.key.is_active):
        raise Unauthorized("This API key was revoked. Use another one, or make a new key.", code="key_revoked")
    if principal.is_blocked:
        raise blocked()
    if principal.is_suspended:
        raise Forbidden("This workspace is suspended. Write to the operators.", code="workspace_suspended")


async def _throttle(resources: Resources, session: Session, subject: bytes) -> None:
    """Count before the password is looked at: attempts side by side are no way around the limit."""
    window = timedelta(seconds=resources.settings.login_window_seconds)
    attempts, first_at = await queries.count_attempt(session, subject, window)
    if attempts > resources.settings.login_attempts:
        wait = int((first_at + window - resources.clock()).total_seconds()) + 1
        raise TooManyRequests(
            "Too many failed sign-ins of this account. Wait a while before the next.",
            code="too_many_logins",
            retry_after=wait,
        )


def _untouched(last: datetime | None, now: datetime) -> bool:
    return last is None or last <= now - queries.TOUCH_EVERY


def _seconds(resources: Resources) -> int:
    return int(resources.clock().timestamp())
