"""Dead letters: look at them, then deliver them again or skip them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from imghost_api.db.engine import Session
from imghost_api.events.outbox import CHANNEL

_LIST = text("""
    SELECT d.event_id, d.subscriber, d.type, d.subject, d.attempts, d.error, d.dead_at, (
        SELECT count(*) FROM event_deliveries e
        WHERE e.subscriber = d.subscriber AND e.subject = d.subject AND e.event_id > d.event_id
    ) FROM event_deliveries d WHERE d.dead_at IS NOT NULL ORDER BY d.event_id, d.subscriber LIMIT :limit
""")
_CHOSEN = """
    dead_at IS NOT NULL AND (CAST(:subscriber AS text) IS NULL OR subscriber = :subscriber)
    AND (CAST(:event_id AS bigint) IS NULL OR event_id = :event_id)
"""
_REQUEUE = text(f"""
    UPDATE event_deliveries SET dead_at = NULL, attempts = 0, due_at = now() WHERE {_CHOSEN} RETURNING event_id
""")  # noqa: S608 - constants of ours
_DISCARD = text(f"DELETE FROM event_deliveries WHERE {_CHOSEN} RETURNING event_id")  # noqa: S608 - constants of ours
_WAKE = text("SELECT pg_notify(:channel, 'routed')")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that was given up. `waiting` later events of its subject are held back by it."""

    event_id: int
    subscriber: str
    type: str
    subject: str
    attempts: int
    error: str | None
    dead_at: datetime
    waiting: int


async def list_dead(session: Session, *, limit: int = 100) -> Sequence[DeadLetter]:
    """The oldest dead letters."""
    return [DeadLetter(*row) for row in await session.execute(_LIST, {"limit": limit})]


async def requeue(session: Session, *, subscriber: str | None = None, event_id: int | None = None) -> int:
    """Deliver dead letters again, all or those chosen; returns how many."""
    found = await session.scalars(_REQUEUE, {"subscriber": subscriber, "event_id": event_id})
    await session.execute(_WAKE, {"channel": CHANNEL})
    return len(found.all())


async def discard(session: Session, *, subscriber: str, event_id: int) -> int:
    """Give an event up for good: the subscriber never gets it, and later ones of its subject follow."""
    found = await session.scalars(_DISCARD, {"subscriber": subscriber, "event_id": event_id})
    await session.execute(_WAKE, {"channel": CHANNEL})
    return len(found.all())
