"""New images in the database."""

from imghost_api.db.engine import Session
from imghost_api.images.tables import Image


async def add_image(session: Session, image: Image) -> None:
    """Insert an image."""
    session.add(image)
    await session.flush()
