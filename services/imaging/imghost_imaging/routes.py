"""The public routes: images by id or by file name, and their metadata."""

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from imghost_core.contract.delivery import DeliveryImage, ViewEvent
from imghost_core.contract.errors import MetadataNotRemovable, UnknownSize
from imghost_core.disposition import attachment
from imghost_core.object_keys import VARIANT_NAMES, VariantName
from imghost_core.timestamps import format_utc
from imghost_core.web.addresses import client_address
from imghost_core.web.unread import require_readers
from imghost_imaging.bandwidth import require_bandwidth
from imghost_imaging.context import ImagingContext
from imghost_imaging.deliver import no_such_image
from imghost_imaging.formats import variant_mime_type
from imghost_imaging.http_conditional import Span, check_preconditions, http_date, is_unchanged, requested_span
from imghost_imaging.originals import Delivered

_ID = re.compile(r"[0-9A-Za-z]{12}")
_FILE = re.compile(rf"({_ID.pattern})(?:_({'|'.join(VARIANT_NAMES)}))?\.([a-z0-9]{{2,5}})")
_TURN_SECONDS = 10.0
# Part of the ETag of variants; raise it when encoders or sizes change, so that caches are refreshed.
_RENDER_VERSION = 1
_HEADERS = {
    # The bytes behind an id never change, hence `immutable`. An hour only, because a deleted or hidden image must
    # leave the caches we cannot purge; revalidation costs one indexed read and a 304 without a body.
    "Cache-Control": "public, max-age=3600, immutable",
    "Accept-Ranges": "bytes",
    "X-Content-Type-Options": "nosniff",
    # Inline styles are those with which browsers centre an image that is opened in a tab of its own. Nothing that is
    # delivered here can contain a style, and nothing can run: no script, no frame, an origin of its own.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@dataclass(frozen=True, slots=True)
class Representation:
    """An image and the requested variant of it; None is the original."""

    image: DeliveryImage
    variant: VariantName | None
    filter: str | None
    """The filter that an original passes; None when it is delivered as it was uploaded."""

    @property
    def extension(self) -> str:
        """Extension of the file that is sent."""
        return self.image.variant_extension if self.variant else self.image.extension

    @property
    def mime_type(self) -> str:
        """From the catalog, never from the store."""
        return variant_mime_type(self.extension) if self.variant else self.image.mime_type

    @property
    def etag(self) -> str:
        """Strong: the same tag means the same bytes."""
        made = f"{self.variant}-{_RENDER_VERSION}" if self.variant else self.filter
        return f'"{self.image.sha256[:32]}-{made}"' if made else f'"{self.image.sha256[:32]}"'


def routes() -> list[Route]:
    """The public routes; HEAD comes with GET."""
    return [Route("/i/{id}", _by_id), Route("/info/{id}", _info), Route("/{file}", _by_file)]


async def _by_id(request: Request) -> Response:
    """`/i/{id}`: the original, or a variant with `?size=`; `?download=true` adds `Content-Disposition`."""
    size = request.query_params.get("size")
    if size is not None and size not in VARIANT_NAMES:
        raise UnknownSize(
            f"{size[:20]!r} is not a size. Use one of {', '.join(VARIANT_NAMES)}, or omit it for the original."
        )
    return await _deliver(request, _select(request, await _find(request, request.path_params["id"]), size))


async def _by_file(request: Request) -> Response:
    """`/{id}.{ext}` and `/{id}_{size}.{ext}`: the form of URLs in API responses."""
    match = _FILE.fullmatch(request.path_params["file"])
    if match is None:
        raise no_such_image()
    selected = _select(request, await _find(request, match[1]), cast("VariantName | None", match[2]))
    if match[3] != selected.extension:
        raise no_such_image()
    return await _deliver(request, selected)


async def _info(request: Request) -> JSONResponse:
    """`/info/{id}`: the metadata of a public image."""
    image = await _find(request, request.path_params["id"])
    async with _turn(request):
        views = await _context(request).catalog.count_views(image.public_id)
    return JSONResponse(
        {
            "id": image.public_id,
            "filename": image.filename,
            "size": image.size,
            "dimensions": {"width": image.width, "height": image.height},
            "mime_type": image.mime_type,
            "views": views,
            "uploaded_at": format_utc(image.uploaded_at),
        },
        headers={"Cache-Control": "no-cache"},
    )


async def _find(request: Request, public_id: str) -> DeliveryImage:
    """The image, if it may be shown; raises `NotFound`, or `TooManyRequests` before anything is looked up."""
    _context(request).rate.admit(client_address(request.scope))
    if not _ID.fullmatch(public_id):
        raise no_such_image()
    async with _turn(request):
        require_readers(request.scope)
        image = await _context(request).catalog.find(public_id)
    if image is None or not image.is_public:
        raise no_such_image()
    return image


def _turn(request: Request) -> AbstractAsyncContextManager[None]:
    """A turn at the database: an address with many requests does not keep those of others waiting."""
    return _context(request).lookups.turn(client_address(request.scope), within=_TURN_SECONDS)


def _select(request: Request, image: DeliveryImage, variant: VariantName | None) -> Representation:
    return Representation(image, variant, _context(request).originals.filter_of(image))


async def _deliver(request: Request, selected: Representation) -> Response:
    given, image, context = request.headers, selected.image, _context(request)
    headers = {**_HEADERS, "ETag": selected.etag, "Last-Modified": http_date(image.uploaded_at)}
    check_preconditions(given.get("if-match"), given.get("if-unmodified-since"), selected.etag, image.uploaded_at)
    if is_unchanged(given.get("if-none-match"), given.get("if-modified-since"), selected.etag, image.uploaded_at):
        return Response(status_code=304, headers=headers)
    require_bandwidth(image, datetime.now(UTC))
    try:
        content = await _content(context, selected)
    except MetadataNotRemovable:  # taken before a filter was applied; variants have no metadata
        return RedirectResponse(f"/i/{image.public_id}?size=large", headers={"Cache-Control": "no-store"})
    whole = Span(0, len(content) if isinstance(content, bytes) else content.size)
    part = _part(request, selected, whole.length)
    span = part or whole
    headers |= {"Content-Type": selected.mime_type, "Content-Length": str(span.length)}
    if part:
        headers["Content-Range"] = f"bytes {part.start}-{part.start + part.length - 1}/{whole.length}"
    if request.query_params.get("download") in {"true", "1"}:
        headers["Content-Disposition"] = attachment(image.original_name, selected.extension)
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if isinstance(content, bytes):
        response = Response(content[span.start : span.start + span.length], status, headers)
    else:
        response = StreamingResponse(await context.originals.stream(image, content, span), status, headers)
    context.views.record(_view_event(given, selected, span, whole, status))
    return response


async def _content(context: ImagingContext, selected: Representation) -> bytes | Delivered:
    """The bytes of a variant, or where those of an original are."""
    if selected.variant:
        return await context.delivery.variant(selected.image, selected.variant)
    return await context.originals.find(selected.image)


def _part(request: Request, selected: Representation, total: int) -> Span | None:
    """The requested range; defined for GET only (RFC 9110, 14.2)."""
    if request.method != "GET":
        return None
    given = request.headers
    return requested_span(given.get("range"), given.get("if-range"), total, selected.etag, selected.image.uploaded_at)


def _view_event(given: Mapping[str, str], selected: Representation, span: Span, whole: Span, status: int) -> ViewEvent:
    agent = given.get("user-agent", "").replace("\0", "")[:256]
    return ViewEvent(
        image_id=selected.image.image_id,
        viewed_at=datetime.now(UTC),
        variant=selected.variant or "original",
        bytes=span.length,
        status=status,
        # Later parts of an image fetched in parts are no further views, but most of it without the start is one.
        is_view=span.start == 0 or span.length * 2 > whole.length,
        referrer_host=_host(given.get("referer", "")),
        user_agent=agent or None,
    )


def _host(referrer: str) -> str | None:
    """The host of `referrer` only: its path and query may hold personal data."""
    try:
        host = urlsplit(referrer).hostname
    except ValueError:
        return None
    return host.replace("\0", "")[:253] if host else None


def _context(request: Request) -> ImagingContext:
    context: ImagingContext = request.app.state.context
    return context
