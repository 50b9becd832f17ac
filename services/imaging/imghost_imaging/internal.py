"""The routes of the ops listener: ingest, which the api calls, and metrics."""

import secrets

from prometheus_client import CollectorRegistry
from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imghost_core import metrics
from imghost_core.contract.ingest import INGEST_PATH, IngestRequest
from imghost_core.errors import InvalidRequest, Unauthorized, Unavailable
from imghost_core.web.body import read_body
from imghost_imaging.context import ImagingContext

_MAX_BODY_BYTES = 4096
_BODY_SECONDS = 10.0


def routes(token: SecretStr, registry: CollectorRegistry) -> list[Route]:
    """`POST /internal/ingest`, which requires `token`, and `GET /metrics`."""

    async def ingest(request: Request) -> Response:
        _check_token(request, token)
        context: ImagingContext | None = getattr(request.app.state, "context", None)
        if context is None:
            raise Unavailable("The imaging service is starting or stopping. Try again shortly.", retry_after=1)
        ingested = await context.ingest(_parse(await read_body(request, limit=_MAX_BODY_BYTES, seconds=_BODY_SECONDS)))
        return Response(
            ingested.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"}
        )

    async def show_metrics(_request: Request) -> Response:
        body, content_type = metrics.render(registry)
        return Response(body, headers={"Content-Type": content_type})

    return [Route(INGEST_PATH, ingest, methods=["POST"]), Route("/metrics", show_metrics)]


def _check_token(request: Request, token: SecretStr) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    expected = token.get_secret_value().encode()
    if scheme.lower() != "bearer" or not secrets.compare_digest(given.strip().encode(), expected):
        raise Unauthorized("Requires the internal bearer token.", headers={"WWW-Authenticate": "Bearer"})


def _parse(body: bytes) -> IngestRequest:
    try:
        return IngestRequest.model_validate_json(body)
    except ValidationError as error:
        problems = [
            {"field": ".".join(map(str, one["loc"])) or "body", "message": one["msg"]}
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise InvalidRequest("The body is not an ingest request.", errors=problems) from error
