"""Upkeep in the database; each statement is safe to repeat."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from sqlalchemy import CursorResult, delete, func, select, text

from imghost_api.db.engine import Session
from imghost_api.db.tables import IdempotencyKey, Image, LoginAttempt, ViewEvent

# Marks events as counted, and adds them to pictures and days, in one statement: each is counted once, or not yet.
# Rows are locked in the order of their keys, so that two of these cannot block each other for ever.
_ROLL_UP = text("""
    WITH batch AS (
        SELECT id FROM view_events WHERE NOT counted ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED
    ), events AS (
        UPDATE view_events e SET counted = true FROM batch WHERE e.id = batch.id
        RETURNING e.image_id, e.bytes, (e.viewed_at AT TIME ZONE 'UTC')::date AS day,
                  CASE WHEN e.status BETWEEN 200 AND 399 THEN 1 ELSE 0 END AS view
    ), per_image AS (
        SELECT image_id, sum(view) AS views FROM events GROUP BY image_id
    ), locked AS (
        SELECT i.id FROM images i JOIN per_image p ON p.image_id = i.id ORDER BY i.id FOR UPDATE OF i
    ), images_done AS (
        UPDATE images i SET views = i.views + p.views
        FROM per_image p, locked WHERE i.id = p.image_id AND i.id = locked.id
    ), days_done AS (
        INSERT INTO usage_daily AS u (workspace_id, day, views_count, bandwidth_used)
        SELECT i.workspace_id, e.day, sum(e.view), sum(e.bytes)
        FROM events e JOIN images i ON i.id = e.image_id GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (workspace_id, day) DO UPDATE
        SET views_count = u.views_count + excluded.views_count,
            bandwidth_used = u.bandwidth_used + excluded.bandwidth_used
    )
    SELECT count(*) FROM events
""")
# A window that is over goes; what it counted of a key's requests is added to the key.
_FOLD_WINDOWS = text("""
    WITH gone AS (
        DELETE FROM rate_windows WHERE window_start < now() - interval '2 hours' RETURNING subject, used
    ), sums AS (
        SELECT subject, sum(used) AS used FROM gone GROUP BY subject
    )
    UPDATE api_keys k SET requests_count = k.requests_count + sums.used FROM sums WHERE k.id = sums.subject
""")


async def roll_up_views(session: Session, batch: int) -> int:
    """Count up to `batch` view events into their pictures and days; returns how many."""
    return await session.scalar(_ROLL_UP, {"batch": batch}) or 0


async def fold_rate_windows(session: Session) -> None:
    """Remove the rate windows of past hours, keeping what they say of each key."""
    await session.execute(_FOLD_WINDOWS)


async def drop_expired(session: Session, *, events: timedelta, attempts: timedelta) -> int:
    """Remove idempotency keys, sign-in counters and counted view events whose time is over; returns how many rows."""
    doomed = [
        delete(IdempotencyKey).where(IdempotencyKey.expires_at < func.now()),
        delete(LoginAttempt).where(LoginAttempt.first_at < func.now() - attempts),
        delete(ViewEvent).where(ViewEvent.counted, ViewEvent.viewed_at < func.now() - events),
    ]
    gone = 0
    for statement in doomed:
        result = await session.execute(statement)
        assert isinstance(result, CursorResult)  # noqa: S101 - what a DELETE gives
        gone += result.rowcount
    return gone


async def live_images(session: Session, images: Collection[UUID]) -> set[UUID]:
    """Which of these pictures exist and are not deleted."""
    return set(await session.scalars(select(Image.id).where(Image.id.in_(images), Image.deleted_at.is_(None))))


async def is_live(session: Session, image: UUID) -> bool:
    """Whether this picture exists and is not deleted."""
    return bool(await live_images(session, [image]))
