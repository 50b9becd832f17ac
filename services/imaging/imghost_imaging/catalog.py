"""The only module with SQL of the imaging service: it reads one view, adds to one table, and has no other rights."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, column, insert, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

from imghost_core.contract.delivery import (
    IMAGE_COLUMNS,
    IMAGES_VIEW,
    VIEW_COUNT_COLUMN,
    VIEW_EVENT_COLUMNS,
    VIEW_EVENTS_TABLE,
    DeliveryImage,
    ViewEvent,
)
from imghost_core.database import unavailable_when_down

_images = table(IMAGES_VIEW, *map(column, IMAGE_COLUMNS))
_events = table(VIEW_EVENTS_TABLE, *map(column, VIEW_EVENT_COLUMNS))


class Catalog:
    """Images by public id, and their view events. Every method raises `Unavailable` when the database is down."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, public_id: str) -> DeliveryImage | None:
        """The image of this id, public or not; None when it is unknown, deleted or blocked."""
        query = select(_images).where(_images.c.public_id == public_id)
        async with unavailable_when_down(), self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else DeliveryImage(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it

    async def count_views(self, public_id: str) -> int:
        """Number of views of an image; apart from `find` because it reads events that are not rolled up yet."""
        query = select(column(VIEW_COUNT_COLUMN, BigInteger)).select_from(_images)
        query = query.where(_images.c.public_id == public_id)
        async with unavailable_when_down(), self._engine.connect() as connection:
            return int(await connection.scalar(query) or 0)

    async def add_views(self, events: Sequence[ViewEvent]) -> None:
        """Store view events, all or none of them."""
        rows = [{name: getattr(event, name) for name in VIEW_EVENT_COLUMNS} for event in events]
        async with unavailable_when_down(), self._engine.begin() as connection:
            await connection.execute(insert(_events), rows)

    async def check(self) -> None:
        """Raise when the view cannot be read: the database is down, or not migrated yet."""
        async with unavailable_when_down(), self._engine.connect() as connection:
            await connection.execute(select(_images).limit(0))
