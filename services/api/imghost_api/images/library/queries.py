"""The images of a workspace in the database."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_, update

from imghost_api.db.engine import Session
from imghost_api.images.tables import Image, ViewEvent


@dataclass(frozen=True, slots=True)
class Position:
    """The last image of a page."""

    uploaded_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class DeletedImage:
    """An image that was just deleted."""

    id: UUID
    file_size: int


async def list_images(
    session: Session, workspace_id: UUID, after: Position | None, limit: int
) -> list[tuple[Image, int]]:
    """Up to `limit` images, newest first, each with its views up to now."""
    uncounted = (
        select(func.count())
        .where(
            ViewEvent.image_id == Image.id, ~ViewEvent.counted, ViewEvent.is_view, ViewEvent.status.between(200, 399)
        )
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


async def find_image(session: Session, workspace_id: UUID, public_id: str) -> Image | None:
    """An image of the workspace by its public id."""
    found = select(Image).where(
        Image.workspace_id == workspace_id, Image.public_id == public_id, Image.deleted_at.is_(None)
    )
    return (await session.execute(found)).scalar_one_or_none()


async def mark_deleted(session: Session, workspace_id: UUID, public_id: str) -> DeletedImage | None:
    """Mark an image of the workspace as deleted; None when the workspace has no such image."""
    row = (
        await session.execute(
            update(Image)
            .where(Image.workspace_id == workspace_id, Image.public_id == public_id, Image.deleted_at.is_(None))
            .values(deleted_at=func.now())
            .returning(Image.id, Image.file_size)
        )
    ).one_or_none()
    return DeletedImage(row.id, row.file_size) if row else None
