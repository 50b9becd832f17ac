"""Assembles the imaging process: the public app and the ops app."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route

from imghost_core import logs, metrics, tracing
from imghost_core.errors import Unavailable
from imghost_core.metrics import HttpMetrics
from imghost_core.settings import DatabaseSettings, StoreSettings, load
from imghost_core.web import health, serve
from imghost_core.web.middleware import RequestEnvelope
from imghost_core.web.pace import Pace
from imghost_core.web.problems import add_handlers
from imghost_imaging import internal, routes
from imghost_imaging.context import ImagingContext, open_context
from imghost_imaging.cross_origin import CrossOrigin
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.sandbox import lockdown
from imghost_imaging.sandbox.sandbox import Sandbox
from imghost_imaging.sandbox.server_process import NotStarted, ServerEnded
from imghost_imaging.settings import ImagingSettings

PROGRAM = "imghost imaging-server"
DECODER = (sys.executable, "-I", "-m", "imghost_imaging.render")


def create_apps(
    settings: ImagingSettings, database: DatabaseSettings, store: StoreSettings
) -> tuple[RequestEnvelope, RequestEnvelope]:
    """The public and the ops app of one process; the public one's lifespan opens the context of both.

    Raises `NotStarted` when decoders cannot run, as with a libvips that must not decode untrusted bytes.
    """
    registry = metrics.new_registry()
    measured, http = ImagingMetrics(registry), HttpMetrics(registry)
    sandbox = _start_sandbox(settings, measured)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_context(settings, database, store, measured, sandbox) as context:
            app.state.context = context
            yield
            del (
                app.state.context
            )  # the ops listener still accepts requests while this closes; it responds with 503 from here on

    public, ops = Starlette(lifespan=lifespan), Starlette()
    ops.state = public.state
    probes = _probes(public, sandbox)
    public.router.routes = [*probes, *routes.routes()]
    public.add_middleware(CrossOrigin)
    ops.router.routes = [*probes, *internal.routes(settings.internal_token, registry)]
    return _finish(public, http, settings.pace), _finish(ops, http, settings.pace)


def _start_sandbox(settings: ImagingSettings, measured: ImagingMetrics) -> Sandbox:
    command = [*DECODER, ",".join(settings.formats)]
    sandbox = Sandbox(command, settings.concurrency, measured.fork_server_restarts.inc)
    for layer in lockdown.LAYERS:
        measured.sandbox.labels(layer).set(layer in sandbox.layers)
    return sandbox


def _finish(app: Starlette, http: HttpMetrics, pace: Pace) -> RequestEnvelope:
    """Add problem documents, and around everything the envelope, so that it accounts for every failure."""
    app.router.redirect_slashes = False  # it would build a URL from the request's Host header
    add_handlers(app)
    return RequestEnvelope(app, http, quiet=health.QUIET, pace=pace)


def run() -> None:
    """Serve until SIGTERM. Settings come from the environment; invalid ones end the process with one line."""
    settings, database, store = (
        load(ImagingSettings, program=PROGRAM),
        load(DatabaseSettings, program=PROGRAM),
        load(StoreSettings, program=PROGRAM),
    )
    logs.configure("imaging", level=settings.log_level, console=settings.log_format == "console")
    stop_tracing = tracing.configure("imaging", settings)
    try:
        public, ops = create_apps(settings, database, store)
        serve.run(public, ops, settings)
    except NotStarted as error:
        sys.exit(f"{PROGRAM}: {error}")
    finally:
        stop_tracing()


def _probes(public: Starlette, sandbox: Sandbox) -> list[Route]:
    def context() -> ImagingContext:
        opened: ImagingContext | None = getattr(public.state, "context", None)
        if opened is None:
            raise Unavailable("The process is starting or stopping.")
        return opened

    async def database() -> None:
        await context().catalog.check()

    async def store() -> None:
        await context().store.check()

    async def decoder() -> None:
        try:
            sandbox.check()
        except ServerEnded:
            raise Unavailable("The decoder is starting again.") from None

    return health.routes("imaging", {"database": database, "store": store, "decoder": decoder})
