"""What upload and library both ask of the database."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from imghost_api.db.engine import Session
from imghost_api.images.tables import Image
from imghost_api.images.values import StoredImage


async def find_existing(session: Session, images: Collection[UUID]) -> set[UUID]:
    """Which of these images exist and are not deleted."""
    return set(await session.scalars(select(Image.id).where(Image.id.in_(images), Image.deleted_at.is_(None))))


def to_stored_image(row: Image) -> StoredImage:
    """The image that a row describes."""
    return StoredImage(
        row.public_id,
        row.extension,
        row.variant_extension,
        width=row.width,
        height=row.height,
        file_size=row.file_size,
        format=row.format,
    )
