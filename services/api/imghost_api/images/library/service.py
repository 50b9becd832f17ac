"""Listing and deleting pictures, and how one is shown."""

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from imghost_api.access.principal import Principal
from imghost_api.db.engine import Session
from imghost_api.db.tables import Image
from imghost_api.images.library import queries
from imghost_api.images.library.queries import Position
from imghost_api.images.schemas import ImagesAnswer, ImageView, Metadata, UploadedImage
from imghost_api.images.urls import UrlBuilder
from imghost_api.jobs import Jobs
from imghost_core.errors import InvalidRequest, NotFound

DELETE_OBJECTS = "delete_objects"


async def listed(
    session: Session, urls: UrlBuilder, caller: Principal, *, cursor: str | None, limit: int
) -> ImagesAnswer:
    """One page of the workspace's pictures, newest first. Raises `InvalidRequest` for a cursor that is not ours."""
    after = decode(cursor) if cursor is not None else None
    found = await queries.page(session, caller.workspace_id, after, limit + 1)
    shown = found[:limit]
    more = len(found) > limit
    last = shown[-1][0] if more else None
    return ImagesAnswer(
        data=[_view(urls, image, views) for image, views in shown],
        has_more=more,
        next_cursor=encode(Position(last.uploaded_at, last.id)) if last else None,
    )


async def delete(session: Session, jobs: Jobs, caller: Principal, public_id: str) -> None:
    """Delete a picture; its objects follow by a job of the same transaction. Raises `NotFound`."""
    deleted = await queries.delete(session, caller.workspace_id, public_id)
    if deleted is None:
        raise NotFound("You have no picture with this id. List your pictures to see which there are.")
    await jobs.enqueue(session, DELETE_OBJECTS, workspace=str(caller.workspace_id), image=str(deleted.id))


def uploaded(urls: UrlBuilder, image: Image) -> UploadedImage:
    """A picture as the upload's answer shows it."""
    addresses = urls.of(image.public_id, image.extension, image.variant_extension)
    return UploadedImage(
        id=image.public_id,
        filename=f"{image.public_id}.{image.extension}",
        url=addresses.url,
        thumbnail=addresses.thumbnail,
        view_url=addresses.view_url,
        metadata=Metadata(width=image.width, height=image.height, size=image.file_size, format=image.format),
    )


def encode(position: Position) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(f"{position.uploaded_at.isoformat()} {position.id}".encode()).decode().rstrip("=")


def decode(cursor: str) -> Position:
    """Where a cursor points; raises `InvalidRequest` for one that is not ours."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, image = text.partition(" ")
        return Position(datetime.fromisoformat(moment).astimezone(UTC), UUID(image))
    except (binascii.Error, ValueError, OverflowError) as error:
        raise InvalidRequest(
            "The cursor is not one of ours. Send `next_cursor` of the page before, unchanged.",
            errors=[{"field": "cursor", "message": "is not valid"}],
        ) from error


def _view(urls: UrlBuilder, image: Image, views: int) -> ImageView:
    return ImageView(
        **uploaded(urls, image).model_dump(),
        original_name=image.original_name,
        mime_type=image.mime_type,
        views=views,
        is_public=image.is_public,
        uploaded_at=image.uploaded_at,
    )
