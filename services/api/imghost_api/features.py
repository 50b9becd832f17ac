"""The features of the api: the one list of routes, events, background jobs and subscribers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from imghost_api.accounts.profile import routes as profile
from imghost_api.accounts.register import routes as register
from imghost_api.accounts.register.events import UserRegistered
from imghost_api.accounts.sessions import jobs as sessions_jobs
from imghost_api.accounts.sessions import routes as sessions
from imghost_api.analytics import jobs as analytics_jobs
from imghost_api.api_keys import jobs as api_keys_jobs
from imghost_api.api_keys import routes as api_keys
from imghost_api.events import jobs as events_jobs
from imghost_api.events.event import Event, Subscriber
from imghost_api.idempotency import jobs as idempotency_jobs
from imghost_api.images.events import ImageDeleted, ImageUploaded
from imghost_api.images.library import jobs as library_jobs
from imghost_api.images.library import routes as library
from imghost_api.images.upload import jobs as upload_jobs
from imghost_api.images.upload import routes as upload
from imghost_api.jobs.job import JobHandler, PeriodicJob
from imghost_api.problem_pages import routes as problem_pages
from imghost_api.worker_context import WorkerContext
from imghost_api.workspace_settings import routes as workspace_settings

Jobs = Sequence[JobHandler | PeriodicJob]


def no_jobs(_context: WorkerContext) -> Jobs:
    """For a feature without background jobs."""
    return ()


@dataclass(frozen=True, slots=True)
class Feature:
    """One room of the api, as the processes assemble it.

    The api serves `routers`; the worker runs `jobs` and delivers to `subscribers`. `events` are those it publishes.
    """

    name: str
    routers: Sequence[APIRouter] = ()
    events: Sequence[type[Event]] = ()
    subscribers: Sequence[Subscriber] = ()
    jobs: Callable[[WorkerContext], Jobs] = no_jobs


def _events_jobs(context: WorkerContext) -> Jobs:
    retention = timedelta(days=context.settings.events_retention_days)
    return events_jobs.jobs(context.database, [event for feature in FEATURES for event in feature.events], retention)


FEATURES: tuple[Feature, ...] = (
    Feature("accounts.register", (register.router,), events=(UserRegistered,)),
    Feature("accounts.sessions", (sessions.router,), jobs=sessions_jobs.jobs),
    Feature("accounts.profile", (profile.router,)),
    Feature("api_keys", (api_keys.router,), jobs=api_keys_jobs.jobs),
    Feature("images.upload", (upload.router,), events=(ImageUploaded,), jobs=upload_jobs.jobs),
    Feature(
        "images.library",
        (library.router,),
        events=(ImageDeleted,),
        subscribers=library_jobs.SUBSCRIBERS,
        jobs=library_jobs.jobs,
    ),
    Feature("problem_pages", (problem_pages.router,)),
    Feature("workspace_settings", (workspace_settings.router,)),
    Feature("analytics", jobs=analytics_jobs.jobs),
    Feature("idempotency", jobs=idempotency_jobs.jobs),
    Feature("events", jobs=_events_jobs),
)
