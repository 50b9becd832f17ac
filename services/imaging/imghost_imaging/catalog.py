"""The imaging service's door to PostgreSQL: reads one view, adds to one table, and has rights to nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, column, insert, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

from imghost_core.database import unavailable_when_down


@dataclass(frozen=True, slots=True)
class Picture:
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
    """One counted look at a picture: which variant (`original` for the upload itself), and who asked as they say."""

    image_id: UUID
    viewed_at: datetime
    variant: str
    bytes: int
    status: int
    referrer_host: str | None
    user_agent: str | None


_pictures = table("delivery_images", *(column(field.name) for field in fields(Picture)))
_views = table("view_events", *(column(field.name) for field in fields(View)))


class Catalog:
    """What is known of pictures. Every method raises `Unavailable` when the database is out of reach."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, public_id: str) -> Picture | None:
        """The picture of this id, public or not; None when it is unknown, deleted or blocked."""
        query = select(_pictures).where(_pictures.c.public_id == public_id)
        async with unavailable_when_down(), self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Picture(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it

    async def count_views(self, public_id: str) -> int:
        """How often the picture was looked at; apart from `find`, for it reads the events not yet rolled up."""
        query = select(column("views", BigInteger)).select_from(_pictures).where(_pictures.c.public_id == public_id)
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
            await connection.execute(select(_pictures).limit(0))
