"""What the queue's library has no call for: figures, and jobs of dead workers or of another release."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from imghost_api.db.engine import Session

# When a job became due: its own schedule, or else when it was enqueued.
_WAITING = text("""
    SELECT j.queue_name, count(*), coalesce(max(extract(epoch FROM now() - coalesce(j.scheduled_at, e.at))), 0)
    FROM procrastinate_jobs j
    LEFT JOIN LATERAL (SELECT min(at) AS at FROM procrastinate_events WHERE job_id = j.id) e ON true
    WHERE j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
    GROUP BY 1
""")
_FAILED = text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")
_OF_DEAD_WORKERS = """
    j.status = 'doing' AND NOT EXISTS (
        SELECT FROM procrastinate_workers w
        WHERE w.id = j.worker_id AND w.last_heartbeat > now() - :silence
    )
"""
# A job on a schedule is not run again: its next run does the work, and there may be one waiting already.
_RETRY_STALLED = text(f"""
    UPDATE procrastinate_jobs j SET attempts = attempts + 1, scheduled_at = NULL,
        status = (CASE WHEN attempts < :attempts THEN 'todo' ELSE 'failed' END)::procrastinate_job_status
    WHERE {_OF_DEAD_WORKERS} AND j.queueing_lock IS NULL
""")  # noqa: S608 - constants of ours
_END_STALLED = text(f"""
    UPDATE procrastinate_jobs j SET status = 'aborted' WHERE {_OF_DEAD_WORKERS} AND j.queueing_lock IS NOT NULL
""")  # noqa: S608 - constants of ours
_RETRY_UNKNOWN = text("""
    UPDATE procrastinate_jobs SET status = 'todo', attempts = 0, scheduled_at = now() + :pause
    WHERE status = 'failed' AND attempts <= :attempts AND task_name = ANY(:known) AND queueing_lock IS NULL
""")
_PRUNE = text("""
    DELETE FROM procrastinate_jobs WHERE id IN (
        SELECT j.id FROM procrastinate_jobs j
        WHERE j.status IN ('failed', 'aborted', 'cancelled') AND (j.queueing_lock IS NOT NULL OR j.status <> 'failed')
        AND NOT EXISTS (SELECT FROM procrastinate_events e WHERE e.job_id = j.id AND e.at > now() - :kept)
        LIMIT 10000
    )
""")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Due jobs of one queue."""

    jobs: int
    oldest_seconds: float


async def count_waiting(session: Session) -> dict[str, Waiting]:
    """Due jobs by queue."""
    return {queue: Waiting(jobs, float(seconds)) for queue, jobs, seconds in await session.execute(_WAITING)}


async def count_failed(session: Session) -> int:
    """Jobs that used up their attempts."""
    return await session.scalar(_FAILED) or 0


async def recover_stalled(session: Session, silence: timedelta, *, attempts: int) -> None:
    """Queue the jobs of workers without a heartbeat for `silence` again; one that ended `attempts` workers fails."""
    await session.execute(_END_STALLED, {"silence": silence})
    await session.execute(_RETRY_STALLED, {"silence": silence, "attempts": attempts})


async def requeue_unknown(session: Session, known: Collection[str], *, attempts: int, pause: timedelta) -> None:
    """Queue jobs again that a worker of another release set aside because it did not know them.

    Such a worker marks them failed on the first try; what failed by itself has used up more than `attempts`.
    """
    await session.execute(_RETRY_UNKNOWN, {"known": list(known), "attempts": attempts, "pause": pause})


async def prune_ended(session: Session, kept: timedelta) -> None:
    """Remove failed runs of periodic jobs, and aborted jobs, that ended before `kept`."""
    await session.execute(_PRUNE, {"kept": kept})
