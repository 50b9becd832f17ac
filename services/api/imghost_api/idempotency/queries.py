"""Idempotency keys in the database."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from imghost_api.db.engine import Session
from imghost_api.idempotency.tables import IdempotencyKey

RETENTION = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ClaimedKey:
    """A claimed key: for which request, and the reply once there is one."""

    request_hash: str
    reply: dict[str, Any] | None


async def claim_key(
    session: Session, workspace_id: UUID, key: str, *, request_hash: str, claim: UUID, takeover: timedelta
) -> bool:
    """Claim the key for `claim`; takes over abandoned or expired claims. False when another claim holds it."""
    columns = {"request_hash": request_hash, "claim": claim, "claimed_at": func.now(), "reply": None}
    columns["expires_at"] = func.now() + RETENTION
    abandoned = and_(IdempotencyKey.reply.is_(None), IdempotencyKey.claimed_at < func.now() - takeover)
    upsert = (
        insert(IdempotencyKey)
        .values(workspace_id=workspace_id, key=key, **columns)
        .on_conflict_do_update(
            index_elements=[IdempotencyKey.workspace_id, IdempotencyKey.key],
            set_=columns,
            where=or_(abandoned, IdempotencyKey.expires_at < func.now()),
        )
        .returning(IdempotencyKey.claim)
    )
    return await session.scalar(upsert) is not None


async def find_key(session: Session, workspace_id: UUID, key: str) -> ClaimedKey | None:
    """The key as it is claimed now."""
    row = (
        await session.execute(
            select(IdempotencyKey.request_hash, IdempotencyKey.reply).where(
                IdempotencyKey.workspace_id == workspace_id, IdempotencyKey.key == key
            )
        )
    ).one_or_none()
    return ClaimedKey(*row) if row else None


async def renew_claim(session: Session, workspace_id: UUID, key: str, claim: UUID) -> None:
    """Reset the claim's age, unless another claim has taken the key over."""
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


async def store_reply(session: Session, workspace_id: UUID, key: str, claim: UUID, reply: dict[str, Any]) -> bool:
    """Store the reply; False when another claim has taken the key over, and then this one must have no effect."""
    stored = await session.scalar(
        update(IdempotencyKey)
        .where(IdempotencyKey.workspace_id == workspace_id, IdempotencyKey.key == key, IdempotencyKey.claim == claim)
        .values(reply=reply)
        .returning(IdempotencyKey.claim)
    )
    return stored is not None


async def release_claim(session: Session, workspace_id: UUID, key: str, claim: UUID) -> None:
    """Delete the claim after a rejected request: rejections are not stored."""
    await session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.workspace_id == workspace_id,
            IdempotencyKey.key == key,
            IdempotencyKey.claim == claim,
            IdempotencyKey.reply.is_(None),
        )
    )


async def delete_expired_keys(session: Session) -> None:
    """Delete the keys whose retention has ended."""
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.expires_at < func.now()))
