"""View events in the database; each statement is safe to repeat."""

from datetime import timedelta

from sqlalchemy import delete, func, select, text

from imghost_api.db.engine import Session
from imghost_api.images.tables import ViewEvent

# Marks events as counted and adds them to images and days in one statement: each is counted exactly once.
# Rows are locked in the order of their keys, so that concurrent runs cannot deadlock.
_ROLL_UP = text("""
    WITH batch AS (
        SELECT id FROM view_events WHERE NOT counted ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED
    ), events AS (
        UPDATE view_events e SET counted = true FROM batch WHERE e.id = batch.id
        RETURNING e.image_id, e.bytes, (e.viewed_at AT TIME ZONE 'UTC')::date AS day,
                  CASE WHEN e.is_view AND e.status BETWEEN 200 AND 399 THEN 1 ELSE 0 END AS view
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


async def roll_up_views(session: Session, batch: int) -> int:
    """Add up to `batch` view events to their images and days; returns how many."""
    return await session.scalar(_ROLL_UP, {"batch": batch}) or 0


async def delete_expired_views(session: Session, retention: timedelta, batch: int) -> int:
    """Delete up to `batch` counted view events older than `retention`; returns how many."""
    expired = select(ViewEvent.id).where(ViewEvent.counted, ViewEvent.viewed_at < func.now() - retention).limit(batch)
    deleted = await session.scalars(delete(ViewEvent).where(ViewEvent.id.in_(expired)).returning(ViewEvent.id))
    return len(deleted.all())
