"""The public routes: images by id or by file name, and what is known of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from imghost_core.contract.errors import UnknownSize
from imghost_core.object_keys import VARIANT_NAMES, VariantName
from imghost_core.timestamps import format_utc
from imghost_imaging.catalog import Image, View
from imghost_imaging.conditions import Span, http_date, is_unchanged, wanted_span
from imghost_imaging.deliver import no_such_image
from imghost_imaging.disposition import attachment
from imghost_imaging.formats import VARIANT_MIME_TYPES
from imghost_imaging.resources import Resources

_ID = re.compile(r"[0-9A-Za-z]{12}")
_FILE = re.compile(rf"({_ID.pattern})(?:_({'|'.join(VARIANT_NAMES)}))?\.([a-z0-9]{{2,5}})")
# Raise it when the encoders or sizes change, so that caches notice.
_RECIPE = 1
_HEADERS = {
    # The bytes behind an id never change, hence `immutable`. An hour only, because a deleted or hidden image must
    # leave the caches we cannot purge; asking again costs one indexed read and a 304 without a body.
    "Cache-Control": "public, max-age=3600, immutable",
    "Accept-Ranges": "bytes",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """An image in the size asked for; None is the original."""

    image: Image
    size: VariantName | None

    @property
    def extension(self) -> str:
        """Of the file that is sent."""
        return self.image.variant_extension if self.size else self.image.extension

    @property
    def mime_type(self) -> str:
        """From the catalog, never from the store."""
        return VARIANT_MIME_TYPES[self.extension] if self.size else self.image.mime_type

    @property
    def etag(self) -> str:
        """Strong: the same tag means the same bytes."""
        return f'"{self.image.sha256[:32]}-{self.size}-{_RECIPE}"' if self.size else f'"{self.image.sha256[:32]}"'


def routes() -> list[Route]:
    """The public routes; HEAD comes with GET."""
    return [Route("/i/{id}", _by_id), Route("/info/{id}", _info), Route("/{file}", _by_file)]


async def _by_id(request: Request) -> Response:
    """`/i/{id}`: the original, or a stored size with `?size=`; saved under its own name with `?download=true`."""
    size = request.query_params.get("size")
    if size is not None and size not in VARIANT_NAMES:
        raise UnknownSize(
            f"{size[:20]!r} is not a size. Choose one of {', '.join(VARIANT_NAMES)}, or leave it out for the original."
        )
    image = await _find(request, request.path_params["id"])
    return await _deliver(request, Choice(image, size))


async def _by_file(request: Request) -> Response:
    """`/{id}.{ext}` and `/{id}_{size}.{ext}`, as a content delivery network is given them."""
    match = _FILE.fullmatch(request.path_params["file"])
    if match is None:
        raise no_such_image()
    choice = Choice(await _find(request, match[1]), cast("VariantName | None", match[2]))
    if match[3] != choice.extension:
        raise no_such_image()
    return await _deliver(request, choice)


async def _info(request: Request) -> JSONResponse:
    """`/info/{id}`: what anybody may know of a public image."""
    image = await _find(request, request.path_params["id"])
    return JSONResponse(
        {
            "id": image.public_id,
            "filename": image.filename,
            "size": image.size,
            "dimensions": {"width": image.width, "height": image.height},
            "mime_type": image.mime_type,
            "views": await _resources(request).catalog.count_views(image.public_id),
            "uploaded_at": format_utc(image.uploaded_at),
        },
        headers={"Cache-Control": "no-cache"},
    )


async def _find(request: Request, public_id: str) -> Image:
    image = await _resources(request).catalog.find(public_id) if _ID.fullmatch(public_id) else None
    if image is None or not image.is_public:
        raise no_such_image()
    return image


async def _deliver(request: Request, choice: Choice) -> Response:
    given, image, delivery = request.headers, choice.image, _resources(request).delivery
    headers = {**_HEADERS, "ETag": choice.etag, "Last-Modified": http_date(image.uploaded_at)}
    if is_unchanged(given.get("if-none-match"), given.get("if-modified-since"), choice.etag, image.uploaded_at):
        return Response(status_code=304, headers=headers)
    body = await delivery.variant(image, choice.size) if choice.size else None
    whole = Span(0, image.size if body is None else len(body))
    part = _part(request, choice, whole.length)
    span = part or whole
    headers |= {"Content-Type": choice.mime_type, "Content-Length": str(span.length)}
    if part:
        headers["Content-Range"] = f"bytes {part.start}-{part.start + part.length - 1}/{whole.length}"
    if request.query_params.get("download") in {"true", "1"}:
        headers["Content-Disposition"] = attachment(image.original_name, choice.extension)
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if body is None:
        chunks = await delivery.original(image, span)
        answer: Response = StreamingResponse(chunks, status, headers)
    else:
        answer = Response(body[span.start : span.start + span.length], status, headers)
    if span.start == 0:  # the other parts of an image fetched in parts are not further views
        _resources(request).views.record(_view(given, choice, span.length, status))
    return answer


def _part(request: Request, choice: Choice, total: int) -> Span | None:
    """The one range asked for; it has a meaning for GET only (RFC 9110, 14.2)."""
    if request.method != "GET":
        return None
    given = request.headers
    return wanted_span(given.get("range"), given.get("if-range"), total, choice.etag, choice.image.uploaded_at)


def _view(given: Mapping[str, str], choice: Choice, length: int, status: int) -> View:
    agent = given.get("user-agent", "").replace("\0", "")[:256]
    return View(
        image_id=choice.image.image_id,
        viewed_at=datetime.now(UTC),
        variant=choice.size or "original",
        bytes=length,
        status=status,
        referrer_host=_host(given.get("referer", "")),
        user_agent=agent or None,
    )


def _host(referrer: str) -> str | None:
    """The host alone: the rest of a referrer may hold what its reader did not mean to tell."""
    try:
        host = urlsplit(referrer).hostname
    except ValueError:
        return None
    return host.replace("\0", "")[:253] if host else None


def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources
