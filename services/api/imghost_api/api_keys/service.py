"""Making, listing and revoking keys."""

import hashlib
import hmac
from collections.abc import Callable
from uuid import UUID

from pydantic import SecretStr

from imghost_api.access.principal import Limits
from imghost_api.api_keys import queries
from imghost_api.api_keys.schemas import KeyView, NewKey, NewKeyView
from imghost_api.db.engine import Session
from imghost_core import ids
from imghost_core.errors import Conflict, NotFound, Unprocessable

DEFAULT_PER_HOUR = 1000
MOST_KEYS = 100
_SHOWN_PREFIX = 7
Digest = Callable[[str], bytes]


def digest_under(pepper: SecretStr) -> Digest:
    """What is stored of a key: HMAC-SHA256 under a secret that is not in the database."""
    secret = pepper.get_secret_value().encode()
    return lambda key: hmac.digest(secret, key.encode(), hashlib.sha256)


async def create(
    session: Session, digest: Digest, *, workspace_id: UUID, user_id: UUID, limits: Limits, wanted: NewKey
) -> NewKeyView:
    """A new key of a member. Raises `Unprocessable` for a limit above the plan's, `Conflict` for one key too many."""
    if (wanted.rate_limit_per_hour or 0) > limits.requests_per_hour:
        raise Unprocessable(
            f"A key may make at most the {limits.requests_per_hour} requests an hour of the plan '{limits.plan}'. "
            "Ask for fewer, or change the plan.",
            code="rate_limit_above_plan",
            errors=[{"field": "rate_limit_per_hour", "message": f"at most {limits.requests_per_hour}"}],
        )
    await queries.lock_workspace(session, workspace_id)
    if await queries.count_keys(session, workspace_id) >= MOST_KEYS:
        raise Conflict(f"A workspace has at most {MOST_KEYS} keys. Delete one first.", code="too_many_keys")
    key = ids.api_key()
    made = await queries.add_key(
        session,
        workspace_id=workspace_id,
        user_id=user_id,
        key_name=wanted.key_name,
        prefix=key[:_SHOWN_PREFIX],
        last_four=key[-4:],
        key_hmac=digest(key),
        rate_limit_per_hour=wanted.rate_limit_per_hour or min(DEFAULT_PER_HOUR, limits.requests_per_hour),
    )
    return NewKeyView(**made.model_dump(), key=key)


async def listed(session: Session, workspace_id: UUID) -> list[KeyView]:
    """The workspace's working keys, newest first."""
    return await queries.keys_of(session, workspace_id)


async def revoke(session: Session, workspace_id: UUID, key_id: UUID) -> None:
    """Stop a key for good, at once; raises `NotFound`."""
    if not await queries.revoke(session, workspace_id, key_id):
        raise NotFound("You have no key with this id. List your keys to see which there are.", code="key_not_found")
