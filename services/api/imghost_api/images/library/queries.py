"""Pictures and what they count against, in the database."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from imghost_api.db.engine import Session
from imghost_api.db.tables import Image, UsageDay, ViewEvent, Workspace


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended."""

    uploaded_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Deleted:
    """A picture that was just deleted."""

    id: UUID
    file_size: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a workspace has used: uploads of the day, bytes stored, bytes delivered in the month."""

    uploads: int
    storage: int
    bandwidth: int


async def count_upload(session: Session, workspace_id: UUID, day: date, limit: int) -> bool:
    """Count one upload, unless the day's limit is used up: one statement under the row's lock, so exact."""
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
    """Add bytes to what is stored, unless that would be more than the limit: one statement, so exact."""
    added = await session.scalar(
        update(Workspace)
        .where(Workspace.id == workspace_id, Workspace.storage_used + size <= limit)
        .values(storage_used=Workspace.storage_used + size)
        .returning(Workspace.id)
    )
    return added is not None


async def add_image(session: Session, image: Image) -> None:
    """Insert a picture."""
    session.add(image)
    await session.flush()


async def page(session: Session, workspace_id: UUID, after: Position | None, limit: int) -> list[tuple[Image, int]]:
    """Up to `limit` pictures, newest first, each with its views up to now."""
    uncounted = (
        select(func.count())
        .where(ViewEvent.image_id == Image.id, ~ViewEvent.counted, ViewEvent.status.between(200, 399))
        .scalar_subquery()
    )
    images = (
        select(Image, Image.views + uncounted)
        .where(Image.workspace_id == workspace_id, Image.deleted_at.is_(None))
        .order_by(Image.uploaded_at.desc(), Image.id.desc())
        .limit(limit)
    )
    if after is not None:
        images = images.where(tuple_(Image.uploaded_at, Image.id) < (after.uploaded_at, after.id))
    return [(image, views) for image, views in await session.execute(images)]


async def delete(session: Session, workspace_id: UUID, public_id: str) -> Deleted | None:
    """Delete a picture of the workspace and give its bytes back; None when it has no such picture."""
    row = (
        await session.execute(
            update(Image)
            .where(Image.workspace_id == workspace_id, Image.public_id == public_id, Image.deleted_at.is_(None))
            .values(deleted_at=func.now())
            .returning(Image.id, Image.file_size)
        )
    ).one_or_none()
    if row is None:
        return None
    await session.execute(
        update(Workspace)
        .where(Workspace.id == workspace_id)
        .values(storage_used=Workspace.storage_used - row.file_size)
    )
    return Deleted(row.id, row.file_size)


async def usage(session: Session, workspace_id: UUID, today: date) -> Usage:
    """What the workspace has used, as of now."""
    day = UsageDay.workspace_id == workspace_id
    uploads = select(UsageDay.uploads_count).where(day, UsageDay.day == today)
    bandwidth = select(func.coalesce(func.sum(UsageDay.bandwidth_used), 0)).where(
        day, UsageDay.day >= today.replace(day=1), UsageDay.day <= today
    )
    found = (
        await session.execute(
            select(
                func.coalesce(uploads.scalar_subquery(), 0), Workspace.storage_used, bandwidth.scalar_subquery()
            ).where(Workspace.id == workspace_id)
        )
    ).one()
    return Usage(*(int(value) for value in found))
