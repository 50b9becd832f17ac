"""The assembly of the worker process: jobs, events, and an ops listener; no public one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imghost_api.events.dispatcher import Dispatcher
from imghost_api.features import FEATURES
from imghost_api.jobs.job import JobHandler, Queue
from imghost_api.jobs.runner import JobRunner
from imghost_api.readiness import Readiness
from imghost_api.settings import WorkerSettings
from imghost_api.startup import prepare
from imghost_api.worker_context import WorkerContext, open_worker_context
from imghost_core import metrics, tracing
from imghost_core.errors import Unavailable
from imghost_core.settings import load
from imghost_core.web import health, serve
from imghost_core.web.middleware import RequestEnvelope

SERVICE: Final = "worker"
PROGRAM: Final = "imghost worker"
_CLOSE_SECONDS: Final = 5.0  # of the grace: 2 for events, 3 for what the jobs' library gives up last
_EVENTS_SECONDS: Final = 2.0
_SPARE_CONNECTIONS: Final = 2  # for routing, figures, dead workers' jobs and readiness, which are short


def run() -> None:
    """Read the environment and work until SIGTERM; ends non-zero with one line when it cannot start."""
    settings = load(WorkerSettings, program=PROGRAM)
    prepare(SERVICE, PROGRAM, settings, settings)
    stop_tracing = tracing.configure(SERVICE, settings)
    try:
        serve.run_ops(create_app(settings), settings)
    finally:
        stop_tracing()


def create_app(settings: WorkerSettings) -> RequestEnvelope:
    """The ops app; its lifespan is the work."""
    registry = metrics.new_registry()
    opened: list[WorkerContext] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        grace = max(1.0, settings.shutdown_grace_seconds - _CLOSE_SECONDS)
        async with working(settings, registry, grace=grace) as context:
            opened.append(context)
            yield

    async def check() -> None:
        if not opened:
            raise Unavailable("The process is starting.")
        await opened[0].database.check()

    async def scrape(_: Request) -> Response:
        body, kind = metrics.render(registry)
        return Response(body, media_type=kind)

    ready = Readiness(check, grace=settings.readiness_grace_seconds)
    routes = [*health.routes(SERVICE, {"database": ready}), Route("/metrics", scrape)]
    app = Starlette(routes=routes, lifespan=lifespan)
    return RequestEnvelope(app, metrics.HttpMetrics(registry), quiet=health.QUIET)


@asynccontextmanager
async def working(
    settings: WorkerSettings, registry: CollectorRegistry, *, grace: float
) -> AsyncIterator[WorkerContext]:
    """Run every feature's jobs and deliver events to its subscribers until left; `grace` is for jobs under way."""
    subscribers = [subscriber for feature in FEATURES for subscriber in feature.subscribers]
    concurrency = {
        Queue.DEFAULT: settings.jobs_concurrency,
        Queue.BULK: settings.jobs_bulk_concurrency,
        Queue.MAINTENANCE: settings.jobs_maintenance_concurrency,
    }
    connections = sum(concurrency.values()) + len(subscribers) * settings.events_concurrency
    async with open_worker_context(settings, registry, connections=connections + _SPARE_CONNECTIONS) as context:
        jobs = [job for feature in FEATURES for job in feature.jobs(context)]
        runner = JobRunner(
            settings,
            context.database,
            context.metrics.jobs,
            concurrency=concurrency,
            handlers=[job for job in jobs if isinstance(job, JobHandler)],
            periodic=[job for job in jobs if not isinstance(job, JobHandler)],
        )
        dispatcher = Dispatcher(
            settings,
            context.database,
            context.metrics.events,
            subscribers,
            concurrency=settings.events_concurrency,
        )
        async with runner.running(grace=grace), dispatcher.running(grace=_EVENTS_SECONDS):
            yield context
