"""The features of the api: the one list of routers and background jobs."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter

from imghost_api.accounts.profile import routes as profile
from imghost_api.accounts.register import routes as register
from imghost_api.accounts.sessions import jobs as sessions_jobs
from imghost_api.accounts.sessions import routes as sessions
from imghost_api.analytics import jobs as analytics_jobs
from imghost_api.api_keys import jobs as api_keys_jobs
from imghost_api.api_keys import routes as api_keys
from imghost_api.context import AppContext
from imghost_api.idempotency import jobs as idempotency_jobs
from imghost_api.images.library import jobs as library_jobs
from imghost_api.images.library import routes as library
from imghost_api.images.upload import jobs as upload_jobs
from imghost_api.images.upload import routes as upload


def register_no_jobs(_context: AppContext) -> None:
    """Register nothing, for a feature without background jobs."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One room of the api, as the processes assemble it: its routes, and how it registers its background jobs."""

    name: str
    routers: tuple[APIRouter, ...] = ()
    register_jobs: Callable[[AppContext], None] = register_no_jobs


FEATURES: tuple[Feature, ...] = (
    Feature("accounts.register", (register.router,)),
    Feature("accounts.sessions", (sessions.router,), sessions_jobs.register_jobs),
    Feature("accounts.profile", (profile.router,)),
    Feature("api_keys", (api_keys.router,), api_keys_jobs.register_jobs),
    Feature("images.upload", (upload.router,), upload_jobs.register_jobs),
    Feature("images.library", (library.router,), library_jobs.register_jobs),
    Feature("analytics", register_jobs=analytics_jobs.register_jobs),
    Feature("idempotency", register_jobs=idempotency_jobs.register_jobs),
)
