"""Pictures and quota, by API key or token."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response

from imghost_api.access.deps import Caller, CallerSession, ResourcesOf
from imghost_api.http.openapi import alias, problems
from imghost_api.images.library import service
from imghost_api.images.schemas import DeletedAnswer, ImagesAnswer, QuotaAnswer, UploadAnswer
from imghost_api.images.upload.multipart import FIELD
from imghost_api.images.upload.service import Incoming
from imghost_api.images.upload.service import upload as take_in
from imghost_api.plans import quota

router = APIRouter(tags=["images"])

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary", "description": "The picture"}},
                }
            }
        },
    }
}
_IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Any text of yours: the same upload sent again with it gets the first one's answer",
    ),
]


@router.post(
    "/api/v1/images",
    status_code=201,
    operation_id="upload",
    summary="Upload a picture",
    responses=problems(400, 401, 402, 403, 408, 409, 413, 415, 422, 429, 503),
    openapi_extra=_FORM,
)
async def upload(
    resources: ResourcesOf,
    caller: Caller,
    request: Request,
    response: Response,
    idempotency_key: _IdempotencyKey = None,
) -> UploadAnswer:
    """Store the picture in the form field `file`; its kind is judged by content, never by name or header."""
    length = request.headers.get("content-length", "")
    incoming = Incoming(
        body=request.stream(),
        content_type=request.headers.get("content-type", ""),
        content_length=int(length) if length.isdecimal() else None,
        idempotency_key=idempotency_key,
    )
    answer, replayed = await take_in(resources, caller, incoming)
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return answer


@router.get(
    "/api/v1/images",
    operation_id="list_images",
    summary="Your pictures, newest first",
    responses=problems(400, 401, 403, 429, 503),
)
async def list_images(
    resources: ResourcesOf,
    caller: Caller,
    session: CallerSession,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> ImagesAnswer:
    """One page, newest first."""
    return await service.listed(session, resources.urls, caller, cursor=cursor, limit=limit)


@router.delete(
    "/api/v1/images/{image_id}",
    operation_id="delete_image",
    summary="Delete a picture",
    responses=problems(400, 401, 403, 404, 429, 503),
)
async def delete_image(
    resources: ResourcesOf,
    caller: Caller,
    session: CallerSession,
    image_id: Annotated[str, Path(max_length=64, description="Public id")],
) -> DeletedAnswer:
    """Delete one picture and all its sizes; its bytes are yours again, the day's upload count stays."""
    await service.delete(session, resources.jobs, caller, image_id)
    return DeletedAnswer(id=image_id, message="The picture is deleted.")


@router.get(
    "/api/v1/upload/quota",
    operation_id="read_quota",
    summary="What your plan allows and what is left",
    responses=problems(401, 403, 429, 503),
)
async def read_quota(resources: ResourcesOf, caller: Caller, session: CallerSession) -> QuotaAnswer:
    """Uploads a day, requests an hour, storage and bandwidth: limit, used, remaining, and when it starts again."""
    largest = min(caller.limits.max_file_bytes, resources.settings.max_upload_bytes)
    return QuotaAnswer(quota=await quota.read(session, caller, max_file=largest, now=resources.clock()))


alias(router, "/upload", of="/api/v1/images", method="POST")
alias(router, "/images", of="/api/v1/images", method="GET")
alias(router, "/images/{image_id}", of="/api/v1/images/{image_id}", method="DELETE")
alias(router, "/upload/quota", of="/api/v1/upload/quota", method="GET")
