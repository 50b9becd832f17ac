"""Plans, usage counters and rate windows in the database."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from imghost_api.db.engine import Session
from imghost_api.plans.limits import PlanLimits
from imghost_api.plans.tables import Plan, RateWindow, UsageDay, Workspace


@dataclass(frozen=True, slots=True)
class Usage:
    """What a workspace has used: uploads of the day, bytes stored, bytes delivered in the month."""

    uploads: int
    storage: int
    bandwidth: int


async def get_limits(session: Session, code: str) -> PlanLimits:
    """The limits of the plan with this code."""
    return to_limits(await session.get_one(Plan, code))


def to_limits(plan: Plan) -> PlanLimits:
    """The limits in a row of the plan catalogue."""
    return PlanLimits(
        plan.code,
        plan.uploads_per_day,
        plan.requests_per_hour,
        plan.storage_bytes,
        plan.bandwidth_bytes_per_month,
        plan.max_file_bytes,
    )


async def count_request(session: Session, subject: UUID, window: datetime, limit: int) -> int | None:
    """Count one request of `subject` in the hour that began at `window`, unless `limit` is reached.

    One statement under the row's lock, so exact under concurrency. Returns how many are used now, or None.
    """
    count = (
        insert(RateWindow)
        .values(subject=subject, window_start=window, used=1)
        .on_conflict_do_update(
            index_elements=[RateWindow.subject, RateWindow.window_start],
            set_={"used": RateWindow.used + 1},
            where=RateWindow.used < limit,
        )
        .returning(RateWindow.used)
    )
    used: int | None = await session.scalar(count)
    return used


async def get_request_count(session: Session, subject: UUID, window: datetime) -> int:
    """How many requests of `subject` the hour has counted."""
    used = select(RateWindow.used).where(RateWindow.subject == subject, RateWindow.window_start == window)
    return await session.scalar(used) or 0


async def count_upload(session: Session, workspace_id: UUID, day: date, limit: int) -> bool:
    """Count one upload, unless the day's limit is reached: one statement under the row's lock, so exact."""
    count = (
        insert(UsageDay)
        .values(workspace_id=workspace_id, day=day, uploads_count=1)
        .on_conflict_do_update(
            index_elements=[UsageDay.workspace_id, UsageDay.day],
            set_={"uploads_count": UsageDay.uploads_count + 1},
            where=UsageDay.uploads_count < limit,
        )
        .returning(UsageDay.uploads_count)
    )
    return await session.scalar(count) is not None


async def add_storage(session: Session, workspace_id: UUID, size: int, limit: int) -> bool:
    """Add bytes to what is stored, unless that would exceed the limit: one statement, so exact."""
    added = await session.scalar(
        update(Workspace)
        .where(Workspace.id == workspace_id, Workspace.storage_used + size <= limit)
        .values(storage_used=Workspace.storage_used + size)
        .returning(Workspace.id)
    )
    return added is not None


async def subtract_storage(session: Session, workspace_id: UUID, size: int) -> None:
    """Subtract the bytes of a deleted image from what is stored."""
    await session.execute(
        update(Workspace).where(Workspace.id == workspace_id).values(storage_used=Workspace.storage_used - size)
    )


async def get_usage(session: Session, workspace_id: UUID, today: date) -> Usage:
    """What the workspace has used until now."""
    own = UsageDay.workspace_id == workspace_id
    uploads = select(UsageDay.uploads_count).where(own, UsageDay.day == today)
    bandwidth = select(func.coalesce(func.sum(UsageDay.bandwidth_used), 0)).where(
        own, UsageDay.day >= today.replace(day=1), UsageDay.day <= today
    )
    row = (
        await session.execute(
            select(
                func.coalesce(uploads.scalar_subquery(), 0), Workspace.storage_used, bandwidth.scalar_subquery()
            ).where(Workspace.id == workspace_id)
        )
    ).one()
    return Usage(*(int(value) for value in row))
