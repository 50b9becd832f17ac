"""The imaging service's door to PostgreSQL: reads one view, adds to one table, and has rights to nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, column, insert, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

from imghost_core.database import unavailable_when_down


@dataclass(frozen=True, slots=True)
class Image:
    """A live, unblocked image. Sizes in bytes and pixels; `original_name` is what its owner called it."""

    public_id: str
    image_id: UUID
    workspace_id: UUID
    filename: str
    original_name: str
    mime_type: str
    extension: str
    variant_extension: str
    size: int
    width: int
    height: int
    sha256: str
    is_public: bool
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class View:
    """One counted look at an image: which variant (`original` for the upload itself), and who asked as they say."""

    image_id: UUID
    viewed_at: datetime
    variant: str
    bytes: int
    status: int
    referrer_host: str | None
    user_agent: str | None


_images = table("delivery_images", *(column(field.name) for field in fields(Image)))
_views = table("view_events", *(column(field.name) for field in fields(View)))


class Catalog:
    """What is known of images. Every method raises `Unavailable` when the database is out of reach."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, public_id: str) -> Image | None:
        """The image of this id, public or not; None when it is unknown, deleted or blocked."""
        query = select(_images).where(_images.c.public_id == public_id)
        async with unavailable_when_down(), self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Image(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it

    async def count_views(self, public_id: str) -> int:
        """How often the image was looked at; apart from `find`, for it reads the events not yet rolled up."""
        query = select(column("views", BigInteger)).select_from(_images).where(_images.c.public_id == public_id)
        async with unavailable_when_down(), self._engine.connect() as connection:
            return int(await connection.scalar(query) or 0)

    async def add_views(self, views: Sequence[View]) -> None:
        """Store view events, all or none of them."""
        rows = [{field.name: getattr(view, field.name) for field in fields(View)} for view in views]
        async with unavailable_when_down(), self._engine.begin() as connection:
            await connection.execute(insert(_views), rows)

    async def check(self) -> None:
        """Raise when the view cannot be read: no database, or one that is not migrated yet."""
        async with unavailable_when_down(), self._engine.connect() as connection:
            await connection.execute(select(_images).limit(0))
