"""Idempotency keys in the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from imghost_api.db.engine import Session
from imghost_api.db.tables import IdempotencyKey

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Held:
    """A key that somebody has: what for, since when, and the answer once there is one."""

    request_hash: str
    claimed_at: datetime
    reply: dict[str, Any] | None


async def claim(
    session: Session, workspace_id: UUID, key: str, *, request_hash: str, claim: UUID, takeover: timedelta
) -> bool:
    """Hold the key for `claim`; also when its holder ended without a word, or its time is over. False when taken."""
    fresh = {"request_hash": request_hash, "claim": claim, "claimed_at": func.now(), "reply": None}
    fresh["expires_at"] = func.now() + KEPT
    abandoned = and_(IdempotencyKey.reply.is_(None), IdempotencyKey.claimed_at < func.now() - takeover)
    taken = (
        insert(IdempotencyKey)
        .values(workspace_id=workspace_id, key=key, **fresh)
        .on_conflict_do_update(
            index_elements=[IdempotencyKey.workspace_id, IdempotencyKey.key],
            set_=fresh,
            where=or_(abandoned, IdempotencyKey.expires_at < func.now()),
        )
        .returning(IdempotencyKey.claim)
    )
    return await session.scalar(taken) is not None


async def held(session: Session, workspace_id: UUID, key: str) -> Held | None:
    """What the key is held for."""
    row = (
        await session.execute(
            select(IdempotencyKey.request_hash, IdempotencyKey.claimed_at, IdempotencyKey.reply).where(
                IdempotencyKey.workspace_id == workspace_id, IdempotencyKey.key == key
            )
        )
    ).one_or_none()
    return Held(*row) if row else None


async def renew(session: Session, workspace_id: UUID, key: str, claim: UUID) -> None:
    """Let the holder's time begin anew, unless another has taken the key over."""
    await session.execute(
        update(IdempotencyKey)
        .where(
            IdempotencyKey.workspace_id == workspace_id,
            IdempotencyKey.key == key,
            IdempotencyKey.claim == claim,
            IdempotencyKey.reply.is_(None),
        )
        .values(claimed_at=func.now())
    )


async def finish(session: Session, workspace_id: UUID, key: str, claim: UUID, reply: dict[str, Any]) -> bool:
    """Keep the answer; False when another upload has taken the key over, and then this one must not count."""
    finished = await session.scalar(
        update(IdempotencyKey)
        .where(IdempotencyKey.workspace_id == workspace_id, IdempotencyKey.key == key, IdempotencyKey.claim == claim)
        .values(reply=reply)
        .returning(IdempotencyKey.claim)
    )
    return finished is not None


async def release(session: Session, workspace_id: UUID, key: str, claim: UUID) -> None:
    """Give the key back unused, after a refusal: those are not kept."""
    await session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.workspace_id == workspace_id,
            IdempotencyKey.key == key,
            IdempotencyKey.claim == claim,
            IdempotencyKey.reply.is_(None),
        )
    )
