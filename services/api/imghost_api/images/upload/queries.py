"""New images in the database."""

from uuid import UUID

from sqlalchemy import exists, select

from imghost_api.db.engine import Session
from imghost_api.images.tables import Image


async def add_image(session: Session, image: Image) -> None:
    """Insert an image."""
    session.add(image)
    await session.flush()


async def image_exists(session: Session, workspace_id: UUID, public_id: str) -> bool:
    """Whether the workspace has this image, not deleted."""
    found = exists().where(Image.workspace_id == workspace_id, Image.public_id == public_id, Image.deleted_at.is_(None))
    return bool(await session.scalar(select(found)))
