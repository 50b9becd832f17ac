"""The outbox in the database: from events to deliveries, and from there to subscribers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from imghost_api.db.engine import Session
from imghost_api.events.outbox import CHANNEL

_ROUTING_LOCK = 0x1196_0E18
_IDLE_SECONDS = 60  # after which PostgreSQL ends the transaction of a worker that was cut off

# One dispatcher at a time, else events of one subject could become deliveries out of order.
_TRY_ROUTING = text("SELECT pg_try_advisory_xact_lock(:lock)")
_TAKE_ROUTING = text("SELECT pg_advisory_xact_lock(:lock)")
_ROUTE = text("""
    WITH batch AS (
        SELECT id, workspace_id, subject, type, version, created_at FROM outbox
        WHERE NOT routed ORDER BY id LIMIT :batch
    ), added AS (
        INSERT INTO event_deliveries (event_id, subscriber, workspace_id, subject, type, version, published_at)
        SELECT b.id, s.subscriber, b.workspace_id, b.subject, b.type, b.version, b.created_at
        FROM batch b JOIN event_subscriptions s ON s.type = b.type ORDER BY b.id
        RETURNING event_id
    ), marked AS (
        UPDATE outbox o SET routed = true FROM batch b WHERE o.id = b.id
    ), woken AS MATERIALIZED (
        SELECT pg_notify(:channel, 'routed') FROM added LIMIT 1
    )
    SELECT (SELECT count(*) FROM batch) + 0 * (SELECT count(*) FROM woken)
""")
_SUBSCRIBE = text("""
    INSERT INTO event_subscriptions (subscriber, type) SELECT :subscriber, unnest(CAST(:types AS text[]))
    ON CONFLICT DO NOTHING RETURNING type
""")
_SUBSCRIBED = text("SELECT type FROM event_subscriptions WHERE subscriber = :subscriber AND type = ANY(:types)")
_CATCH_UP = text("""
    INSERT INTO event_deliveries (event_id, subscriber, workspace_id, subject, type, version, published_at)
    SELECT id, :subscriber, workspace_id, subject, type, version, created_at FROM outbox
    WHERE routed AND type = ANY(:types) ORDER BY id
""")
# What may be delivered now: due, understood by this release, and nothing of the same subject before it. Dead letters
# are before what follows them, too.
_IS_NEXT = """
    d.subscriber = :subscriber AND d.dead_at IS NULL AND d.due_at <= now()
    AND NOT EXISTS (
        SELECT FROM event_deliveries e
        WHERE e.subscriber = d.subscriber AND e.subject = d.subject AND e.event_id < d.event_id
    )
"""
_NEXT = text(f"""
    SELECT d.event_id, d.workspace_id FROM event_deliveries d
    JOIN unnest(CAST(:types AS text[]), CAST(:versions AS int[])) AS known(type, version)
      ON known.type = d.type AND d.version <= known.version
    WHERE {_IS_NEXT}
    ORDER BY d.event_id LIMIT :limit
""")  # noqa: S608 - constants of ours
_CLAIM = text(f"""
    WITH bound AS MATERIALIZED (
        SELECT set_config('idle_in_transaction_session_timeout', '{_IDLE_SECONDS}s', true)
    )
    SELECT o.type, o.payload, o.request_id, d.attempts, d.published_at
    FROM bound, event_deliveries d JOIN outbox o ON o.id = d.event_id
    WHERE d.event_id = :event_id AND {_IS_NEXT}
    FOR UPDATE OF d SKIP LOCKED
""")  # noqa: S608 - constants of ours
_DELIVERED = text("DELETE FROM event_deliveries WHERE event_id = :event_id AND subscriber = :subscriber")
_FAILED = text("""
    UPDATE event_deliveries SET attempts = attempts + 1, error = :error, due_at = now() + :pause,
        dead_at = CASE WHEN attempts + 1 >= :limit THEN now() END
    WHERE event_id = :event_id AND subscriber = :subscriber AND dead_at IS NULL
    RETURNING dead_at IS NOT NULL
""")
_FIGURES = text("""
    SELECT s.subscriber, count(d.event_id) FILTER (WHERE d.dead_at IS NULL), count(d.dead_at),
        coalesce(extract(epoch FROM now() - min(d.published_at) FILTER (WHERE d.dead_at IS NULL)), 0)
    FROM (SELECT DISTINCT subscriber FROM event_subscriptions) s LEFT JOIN event_deliveries d USING (subscriber)
    GROUP BY 1
""")
_UNROUTED = text("""
    SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM outbox WHERE NOT routed
""")
_DELETE_OLD = text("""
    DELETE FROM outbox WHERE id IN (
        SELECT o.id FROM outbox o
        WHERE o.routed AND o.type = ANY(:types) AND o.created_at < now() - :retention
        AND NOT EXISTS (SELECT FROM event_deliveries d WHERE d.event_id = o.id)
        LIMIT :batch
    ) RETURNING id
""")


@dataclass(frozen=True, slots=True)
class Next:
    """A delivery that nothing is before."""

    event_id: int
    workspace_id: UUID


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this transaction holds."""

    type: str
    payload: dict[str, Any]
    request_id: str | None
    attempts: int
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """What a subscriber has not received: deliveries, dead letters, age of the oldest of the former."""

    pending: int
    dead: int
    lag_seconds: float


async def route(session: Session, batch: int) -> int | None:
    """List the deliveries of up to `batch` new events; returns how many events. None: another dispatcher does it."""
    if not await session.scalar(_TRY_ROUTING, {"lock": _ROUTING_LOCK}):
        return None
    return await session.scalar(_ROUTE, {"batch": batch, "channel": CHANNEL}) or 0


async def subscribe(session: Session, subscriber: str, types: Collection[str]) -> None:
    """Make `types` known as those of `subscriber`; one that is new gets every event that is still kept."""
    names = {"subscriber": subscriber, "types": list(types)}
    if set(await session.scalars(_SUBSCRIBED, names)) >= set(types):
        return
    await session.execute(_TAKE_ROUTING, {"lock": _ROUTING_LOCK})
    if added := list(await session.scalars(_SUBSCRIBE, names)):
        await session.execute(_CATCH_UP, {**names, "types": added})


async def next_deliveries(session: Session, subscriber: str, known: Mapping[str, int], limit: int) -> list[Next]:
    """What `subscriber` may receive now, by age; `known` are the types and versions it understands."""
    values = {"types": list(known), "versions": list(known.values()), "limit": limit}
    return [Next(*row) for row in await session.execute(_NEXT, {"subscriber": subscriber, **values})]


async def claim(session: Session, subscriber: str, event_id: int) -> Claimed | None:
    """Hold a delivery until the transaction ends. None when another worker has it, or had it."""
    row = (await session.execute(_CLAIM, {"subscriber": subscriber, "event_id": event_id})).one_or_none()
    return Claimed(*row) if row else None


async def mark_delivered(session: Session, subscriber: str, event_id: int) -> None:
    """Remove a delivery, in the transaction of its effect."""
    await session.execute(_DELIVERED, {"subscriber": subscriber, "event_id": event_id})


async def failed(session: Session, subscriber: str, event_id: int, *, error: str, pause: timedelta, limit: int) -> bool:
    """Note a failed attempt; returns whether it was the last one, which makes it a dead letter."""
    values = {"subscriber": subscriber, "event_id": event_id, "error": error, "pause": pause, "limit": limit}
    return bool(await session.scalar(_FAILED, values))


async def figures(session: Session) -> dict[str, Figures]:
    """By subscriber."""
    rows: Sequence[Any] = (await session.execute(_FIGURES)).all()
    return {name: Figures(pending, dead, float(lag)) for name, pending, dead, lag in rows}


async def unrouted(session: Session) -> tuple[int, float]:
    """Events that no dispatcher has seen, and the age of the oldest."""
    count, age = (await session.execute(_UNROUTED)).one()
    return count, float(age)


async def delete_old(session: Session, types: Collection[str], *, retention: timedelta, batch: int) -> int:
    """Delete up to `batch` events that all subscribers have and that are older than `retention`; returns how many."""
    deleted = await session.scalars(_DELETE_OLD, {"types": list(types), "retention": retention, "batch": batch})
    return len(deleted.all())
