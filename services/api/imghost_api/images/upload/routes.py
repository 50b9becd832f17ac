"""Upload and quota, by API key or access token."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request, Response

from imghost_api.access.declarations import Require
from imghost_api.access.deps import ClientAddress, Context, WorkspaceSession
from imghost_api.access.permissions import Permission
from imghost_api.access.principal import Principal
from imghost_api.http.fields import Text
from imghost_api.http.openapi import alias
from imghost_api.http.problem_types import raises
from imghost_api.images.schemas import UploadedImageResource
from imghost_api.images.upload.errors import FIELD, UPLOAD_ERRORS
from imghost_api.images.upload.schemas import (
    BandwidthQuota,
    BytesQuota,
    CountQuota,
    Quota,
    QuotaResponse,
    UploadResponse,
)
from imghost_api.images.upload.service import UploadLimits, UploadRequest, UploadService
from imghost_api.images.upload.spool import require_size
from imghost_api.images.urls import Urls
from imghost_api.plans.quota import CountUsage, QuotaUsage, read_usage
from imghost_core.errors import HttpError

_LENGTH_DIGITS = 18
router = APIRouter(tags=["images"])

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary", "description": "The image"}},
                }
            }
        },
    }
}
_IdempotencyKey = Annotated[
    Text | None,
    Header(
        min_length=1,
        max_length=255,
        description="Any text: the same upload sent again with the same key gets the first response",
    ),
]


def _service(context: Context) -> UploadService:
    settings = context.settings
    return UploadService(
        database=context.database,
        store=context.store,
        imaging=context.imaging,
        spool=context.spool,
        slots=context.upload_slots,
        metrics=context.metrics,
        clock=context.clock,
        limits=UploadLimits(
            max_bytes=settings.max_upload_bytes,
            timeout_seconds=settings.upload_timeout_seconds,
            queue_seconds=settings.upload_queue_seconds,
            takeover=timedelta(seconds=settings.idempotency_takeover_seconds),
        ),
    )


async def _admit(context: Context, address: ClientAddress, request: Request) -> AsyncIterator[None]:
    """Reject what costs nothing to see, before the credential is looked up and the body is read.

    Then hold a place of those of the address; one of those in all is only for who has a valid credential.
    """
    with ExitStack() as place:
        try:
            require_size(_read_length(request), context.settings.max_upload_bytes)
            place.enter_context(context.spool.admit(address))
        except HttpError as error:
            context.metrics.uploads.labels(error.code).inc()
            raise
        yield


@router.post(
    "/api/v1/images",
    status_code=201,
    dependencies=[Depends(_admit)],
    operation_id="upload",
    summary="Upload an image",
    openapi_extra=_FORM,
)
@raises(*UPLOAD_ERRORS)
async def upload(
    service: Annotated[UploadService, Depends(_service)],
    principal: Annotated[Principal, Require(Permission.IMAGES_WRITE)],
    urls: Urls,
    address: ClientAddress,
    request: Request,
    response: Response,
    idempotency_key: _IdempotencyKey = None,
) -> UploadResponse:
    """Store the image in the form field `file`. Its format is detected by content, never by name or header."""
    incoming = UploadRequest(
        address=address,
        body=request.stream(),
        content_type=request.headers.get("content-type", ""),
        content_length=_read_length(request),
        idempotency_key=idempotency_key,
    )
    image, replayed = await service.upload(principal, incoming)
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return UploadResponse(image=UploadedImageResource.of(image, urls))


def _read_length(request: Request) -> int | None:
    """The declared length of the body in bytes. The server accepts any number of leading zeros; Python converts at most
    4300 digits, and a length that is not read here is counted instead.
    """
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) <= _LENGTH_DIGITS else None


@router.get(
    "/api/v1/upload/quota",
    operation_id="read_quota",
    summary="Get the limits of your plan and their usage",
)
async def read_quota(
    context: Context, principal: Annotated[Principal, Require(Permission.QUOTA_READ)], session: WorkspaceSession
) -> QuotaResponse:
    """Uploads per day, requests per hour, storage and bandwidth: limit, usage, and when the count restarts."""
    usage = await read_usage(session, principal.workspace_id, principal.limits, now=context.clock())
    return QuotaResponse(quota=_to_quota(usage, max_file_bytes=_max_file_bytes(context, principal)))


def _max_file_bytes(context: Context, principal: Principal) -> int:
    return min(principal.limits.max_file_bytes, context.settings.max_upload_bytes)


def _to_quota(usage: QuotaUsage, *, max_file_bytes: int) -> Quota:
    return Quota(
        plan=usage.plan,
        max_file_bytes=max_file_bytes,
        uploads=_to_count(usage.uploads, "day"),
        requests=_to_count(usage.requests, "hour"),
        storage=BytesQuota.model_validate(usage.storage),
        bandwidth=BandwidthQuota.model_validate(usage.bandwidth),
    )


def _to_count(usage: CountUsage, period: Literal["hour", "day"]) -> CountQuota:
    return CountQuota(
        limit=usage.limit, used=usage.used, remaining=usage.remaining, period=period, resets_at=usage.resets_at
    )


alias(router, "/upload", of="/api/v1/images", method="POST")
alias(router, "/upload/quota", of="/api/v1/upload/quota", method="GET")
