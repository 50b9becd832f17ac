"""Listing and deleting images."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from imghost_api.access.principal import Principal
from imghost_api.db.engine import Session
from imghost_api.events.outbox import publish
from imghost_api.images.events import ImageDeleted
from imghost_api.images.library import queries
from imghost_api.images.library.errors import ImageNotFound, InvalidCursor
from imghost_api.images.library.queries import Position
from imghost_api.images.queries import to_stored_image
from imghost_api.images.tables import Image
from imghost_api.images.values import StoredImage
from imghost_api.plans.quota import release_storage


@dataclass(frozen=True, slots=True)
class LibraryImage:
    """An image in the list of its workspace."""

    image: StoredImage
    original_name: str
    mime_type: str
    views: int
    is_public: bool
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page of images; `next_cursor` is None on the last page."""

    images: list[LibraryImage]
    next_cursor: str | None


async def list_images(session: Session, principal: Principal, *, cursor: str | None, limit: int) -> Page:
    """One page of the workspace's images, newest first. Raises `InvalidCursor`."""
    after = decode_cursor(cursor) if cursor is not None else None
    found = await queries.list_images(session, principal.workspace_id, after, limit + 1)
    shown = found[:limit]
    last = shown[-1][0] if len(found) > limit else None
    return Page(
        images=[_to_library_image(image, views) for image, views in shown],
        next_cursor=encode_cursor(Position(last.uploaded_at, last.id)) if last else None,
    )


async def delete_image(session: Session, principal: Principal, public_id: str) -> None:
    """Delete an image; its objects are deleted because of the event it publishes. Raises `ImageNotFound`."""
    deleted = await queries.mark_deleted(session, principal.workspace_id, public_id)
    if deleted is None:
        raise ImageNotFound
    await release_storage(session, principal.workspace_id, size=deleted.file_size)
    event = ImageDeleted(
        workspace_id=principal.workspace_id, image_id=deleted.id, public_id=public_id, file_size=deleted.file_size
    )
    await publish(session, event)


def encode_cursor(position: Position) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(f"{position.uploaded_at.isoformat()} {position.id}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Position:
    """The position a cursor stands for; raises `InvalidCursor` for one that was not issued here."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        uploaded_at, _, image = text.partition(" ")
        return Position(datetime.fromisoformat(uploaded_at).astimezone(UTC), UUID(image))
    except (binascii.Error, ValueError, OverflowError) as error:
        raise InvalidCursor from error


def _to_library_image(image: Image, views: int) -> LibraryImage:
    return LibraryImage(
        to_stored_image(image),
        original_name=image.original_name,
        mime_type=image.mime_type,
        views=views,
        is_public=image.is_public,
        uploaded_at=image.uploaded_at,
    )
