"""The assembly of the api process."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imghost_api.access.declarations import document_permissions
from imghost_api.context import AppContext, open_context
from imghost_api.crypto.tokens import Tokens
from imghost_api.features import FEATURES
from imghost_api.http import errors, openapi
from imghost_api.http.problem_types import document_errors
from imghost_api.metrics import ApiMetrics
from imghost_api.readiness import Readiness
from imghost_api.settings import ApiSettings
from imghost_api.startup import prepare
from imghost_core import __version__, metrics, tracing
from imghost_core.errors import Unavailable
from imghost_core.settings import load
from imghost_core.web import health, serve
from imghost_core.web.middleware import RequestEnvelope

SERVICE = "api"
PROGRAM = "imghost api-server"


def run() -> None:
    """Serve until SIGTERM; exits non-zero with one line when the process cannot start."""
    settings = load(ApiSettings, program=PROGRAM)
    try:
        Tokens(settings)
    except ValueError as error:
        sys.exit(f"{PROGRAM}: invalid settings: JWT_PRIVATE_KEY: {error}")
    prepare(SERVICE, PROGRAM, settings, settings)
    stop_tracing = tracing.configure(SERVICE, settings)
    try:
        serve.run(*create_apps(settings), settings)
    finally:
        stop_tracing()


def create_apps(settings: ApiSettings) -> tuple[RequestEnvelope, RequestEnvelope]:
    """The public app, whose lifespan opens what both use, and the ops app."""
    registry = metrics.new_registry()
    http_metrics, api_metrics = metrics.HttpMetrics(registry), ApiMetrics(registry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_context(settings, api_metrics) as context:
            app.state.context = context
            yield

    public = FastAPIOffline(  # serves the scripts of /docs itself instead of loading them from another host
        title="imghost",
        version=__version__,
        description="Image hosting: accounts, API keys, uploads, images and quota.",
        lifespan=lifespan,
        openapi_url="/openapi.json",
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs-assets",
        redirect_slashes=False,  # a redirect would repeat the Host header of the request
    )
    probes = health.routes(SERVICE, {"database": _database_ready(public, settings)})
    for feature in FEATURES:
        for router in feature.routers:
            document_permissions(router)
            document_errors(router)
            public.include_router(router)
    public.router.routes.extend(probes)
    public.openapi = lambda: openapi.build_document(public)  # type: ignore[method-assign]
    errors.add_handlers(public)
    _allow_browsers(public, settings.browser_origins)
    ops = _ops(registry, probes)
    # FastAPI makes the spans of its routes.
    front = RequestEnvelope(public, http_metrics, quiet=health.QUIET, traced=False, pace=settings.pace)
    return front, RequestEnvelope(ops, http_metrics, quiet=health.QUIET)


def _ops(registry: CollectorRegistry, probes: list[Route]) -> Starlette:
    async def scrape(_request: Request) -> Response:
        body, kind = metrics.render(registry)
        return Response(body, media_type=kind)

    return Starlette(routes=[*probes, Route("/metrics", scrape)])


def _database_ready(public: FastAPI, settings: ApiSettings) -> Readiness:
    async def check() -> None:
        context: AppContext | None = getattr(public.state, "context", None)
        if context is None:
            raise Unavailable("The process is starting.")
        await context.database.check()

    return Readiness(check, grace=settings.readiness_grace_seconds)


def _allow_browsers(public: FastAPI, origins: list[str]) -> None:
    """Allow browsers to send requests from the configured origins; from no other."""
    if origins:
        public.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-API-Key", "X-Request-Id"],
            expose_headers=["Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"],
        )
