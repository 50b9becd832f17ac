"""The images of a workspace, by API key or access token."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from imghost_api.access.declarations import Require
from imghost_api.access.deps import Context, WorkspaceSession
from imghost_api.access.permissions import Permission
from imghost_api.access.principal import Principal
from imghost_api.http.fields import ImageId, Text
from imghost_api.http.openapi import alias
from imghost_api.http.problem_types import raises
from imghost_api.images.library import originals, service
from imghost_api.images.library.errors import ImageNotFound, InvalidCursor, OriginalWithheld
from imghost_api.images.library.schemas import DeletedResponse, ImageResource, ImagesResponse
from imghost_api.images.library.service import LibraryImage
from imghost_api.images.urls import UrlBuilder, Urls

router = APIRouter(tags=["images"])


@router.get(
    "/api/v1/images",
    operation_id="list_images",
    summary="List your images, newest first",
)
@raises(InvalidCursor)
async def list_images(
    principal: Annotated[Principal, Require(Permission.IMAGES_READ)],
    session: WorkspaceSession,
    urls: Urls,
    cursor: Annotated[Text | None, Query(max_length=200, description="`next_cursor` of the previous page")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> ImagesResponse:
    """One page of the workspace's images, newest first."""
    page = await service.list_images(session, principal, cursor=cursor, limit=limit)
    return ImagesResponse(
        data=[_to_resource(image, urls) for image in page.images],
        has_more=page.next_cursor is not None,
        next_cursor=page.next_cursor,
    )


@router.get(
    "/api/v1/images/{image_id}/original",
    operation_id="download_original",
    summary="Download an original as it was uploaded",
    response_class=StreamingResponse,
    responses={200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
@raises(ImageNotFound, OriginalWithheld)
async def download_original(
    context: Context,
    principal: Annotated[Principal, Require(Permission.IMAGES_READ)],
    session: WorkspaceSession,
    response: Response,
    image_id: ImageId,
) -> StreamingResponse:
    """The uploaded bytes with all their metadata, where the metadata policy of the workspace is `owner` or `keep`."""
    found = await originals.open_original(
        session, context.store, principal, image_id, default_policy=context.settings.metadata_policy
    )
    return StreamingResponse(found.chunks, headers={**response.headers, **found.headers})


@router.delete(
    "/api/v1/images/{image_id}",
    operation_id="delete_image",
    summary="Delete an image",
)
@raises(ImageNotFound)
async def delete_image(
    principal: Annotated[Principal, Require(Permission.IMAGES_DELETE)],
    session: WorkspaceSession,
    image_id: ImageId,
) -> DeletedResponse:
    """Delete one image and all its variants. Its bytes are released, the day's upload count stays."""
    await service.delete_image(session, principal, image_id)
    return DeletedResponse(id=image_id, message="The image is deleted.")


def _to_resource(image: LibraryImage, urls: UrlBuilder) -> ImageResource:
    return ImageResource.of(
        image.image,
        urls,
        original_name=image.original_name,
        mime_type=image.mime_type,
        views=image.views,
        is_public=image.is_public,
        uploaded_at=image.uploaded_at,
    )


alias(router, "/images", of="/api/v1/images", method="GET")
alias(router, "/images/{image_id}", of="/api/v1/images/{image_id}", method="DELETE")
