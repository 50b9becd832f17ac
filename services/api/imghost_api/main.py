"""The assembly of the api process."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imghost_api.accounts.profile import routes as account
from imghost_api.accounts.sessions import routes as auth
from imghost_api.api_keys import routes as keys
from imghost_api.context import Resources, opened
from imghost_api.crypto.tokens import Tokens
from imghost_api.db.engine import Database
from imghost_api.db.schema import OutdatedSchema, require_current
from imghost_api.http import errors, openapi
from imghost_api.images.library import routes as images
from imghost_api.metrics import ApiMetrics
from imghost_api.readiness import Readiness
from imghost_api.settings import ApiSettings
from imghost_api.upkeep import service as upkeep
from imghost_core import __version__, logs, metrics, tracing
from imghost_core.errors import Unavailable
from imghost_core.web import health, serve
from imghost_core.web.middleware import RequestEnvelope

SERVICE = "api"
_START_SECONDS = 60.0
_START_PAUSE = 0.5
_log = logs.get("imghost.api")


def run() -> None:
    """Read the environment and serve until SIGTERM; ends non-zero with one line when it cannot start."""
    try:
        settings = ApiSettings()
        Tokens(settings)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors())
        sys.exit(f"imghost api-server: bad settings: {problems}")
    except ValueError as error:
        sys.exit(f"imghost api-server: bad settings: JWT_PRIVATE_KEY: {error}")
    logs.configure(SERVICE, level=settings.log_level, console=settings.log_format == "console")
    for chatty in ("httpx", "urllib3", "procrastinate", "psycopg.pool", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        asyncio.run(schema_is_current(settings))
    except (OutdatedSchema, Unavailable) as error:
        sys.exit(f"imghost api-server: {error}")
    stop_tracing = tracing.configure(SERVICE, settings)
    try:
        serve.run(*create_apps(settings), settings)
    finally:
        stop_tracing()


async def schema_is_current(settings: ApiSettings, *, within: float = _START_SECONDS) -> None:
    """Wait for the database, up to `within` seconds, and raise `OutdatedSchema` unless its schema is ours."""
    database, deadline = Database.open(settings), time.monotonic() + within
    try:
        while True:
            try:
                await require_current(database)
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                _log.info("waiting for the database")
                await asyncio.sleep(_START_PAUSE)
            else:
                return
    finally:
        await database.close()


def create_apps(settings: ApiSettings) -> tuple[RequestEnvelope, RequestEnvelope]:
    """The public app, whose lifespan opens what both use, and the ops app."""
    registry = metrics.new_registry()
    http, own = metrics.HttpMetrics(registry), ApiMetrics(registry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, own) as resources:
            app.state.resources = resources
            upkeep.register(resources)
            async with resources.jobs.running():
                yield

    public = FastAPIOffline(  # the documentation's scripts come from us: no other host is asked for them
        title="imghost",
        version=__version__,
        description="Image hosting: accounts, API keys, uploads, your pictures and your quota.",
        lifespan=lifespan,
        openapi_url="/openapi.json",
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs-assets",
        redirect_slashes=False,  # a redirect would name the host that the request named
    )
    probes = health.routes(SERVICE, {"database": _database_ready(public, settings)})
    for router in (auth.router, account.router, keys.router, images.router):
        public.include_router(router)
    public.router.routes.extend(probes)
    public.openapi = lambda: openapi.document(public)  # type: ignore[method-assign]
    errors.add_handlers(public)
    _allow_frontend(public, settings)
    ops = _ops(registry, probes)
    front = RequestEnvelope(public, http, quiet=health.QUIET, traced=False)  # FastAPI makes the spans of its routes
    return front, RequestEnvelope(ops, http, quiet=health.QUIET)


def _ops(registry: CollectorRegistry, probes: list[Route]) -> Starlette:
    async def scrape(_request: Request) -> Response:
        body, kind = metrics.render(registry)
        return Response(body, media_type=kind)

    return Starlette(routes=[*probes, Route("/metrics", scrape)])


def _database_ready(public: FastAPI, settings: ApiSettings) -> Readiness:
    async def check() -> None:
        resources: Resources | None = getattr(public.state, "resources", None)
        if resources is None:
            raise Unavailable("The process is starting.")
        await resources.database.check()

    return Readiness(check, grace=settings.readiness_grace_seconds)


def _allow_frontend(public: FastAPI, settings: ApiSettings) -> None:
    """Let the one configured web page call us from a browser; no other origin may."""
    if settings.frontend_url:
        public.add_middleware(
            CORSMiddleware,
            allow_origins=[settings.frontend_url],
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-API-Key", "X-Request-Id"],
            expose_headers=["Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"],
        )
