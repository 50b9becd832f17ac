"""The api, on a real database with its real roles, a real store and the real imaging service."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from structlog.processors import JSONRenderer

from imghost_api.main import create_apps
from imghost_api.worker import working
from imghost_api.worker_context import WorkerContext, open_worker_context
from imghost_core import metrics
from support.api import (
    Person,
    TenantDatabase,
    api_settings,
    client_from,
    migrated_tenant,
    register,
    worker_settings,
)
from support.imaging_server import serve_imaging
from support.postgres import Postgres
from support.processes import HOST

OpenApi = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
OpenWorker = Callable[..., AbstractAsyncContextManager[WorkerContext]]


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Log lines as JSON to where pytest captures them, without the colours and frames of a terminal."""
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.format_exc_info, JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(),
    )


@pytest.fixture(scope="session")
def tenant(postgres: Postgres) -> TenantDatabase:
    """A migrated database that tests share; each works with users of its own."""
    return migrated_tenant(postgres)


@pytest.fixture(scope="session")
def store_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that api and imaging share as their store."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def imaging_url(tenant: TenantDatabase, store_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real imaging service on the shared store; its ops listener's address."""
    with serve_imaging(tenant, tmp_path_factory.mktemp("imaging"), STORE_ROOT=str(store_root)) as url:
        yield url


@pytest.fixture
def open_api(tenant: TenantDatabase, store_root: Path) -> OpenApi:
    """Open an api in this process, with settings changed as asked, and a client to it at `address`."""

    @asynccontextmanager
    async def open_with(*, address: str = HOST, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        public, ops = create_apps(api_settings(tenant, store_root, **changes))
        assert isinstance(public.app, FastAPI)
        async with public.app.router.lifespan_context(public.app), client_from(public, address) as client:
            client.front, client.public, client.ops = public, public.app, ops  # type: ignore[attr-defined]
            yield client

    return open_with


@pytest.fixture
def open_worker(tenant: TenantDatabase, store_root: Path) -> OpenWorker:
    """Run a worker's jobs and events in this process, with settings changed as asked."""

    @asynccontextmanager
    async def open_with(**changes: Any) -> AsyncIterator[WorkerContext]:
        settings = worker_settings(tenant, store_root, **changes)
        async with working(settings, metrics.new_registry(), grace=1) as context:
            yield context

    return open_with


@pytest.fixture
async def worker_context(tenant: TenantDatabase, store_root: Path) -> AsyncIterator[WorkerContext]:
    """What jobs are made from; nothing runs them."""
    settings = worker_settings(tenant, store_root)
    async with open_worker_context(settings, metrics.new_registry(), connections=5) as context:
        yield context


@pytest.fixture
async def api(open_api: OpenApi) -> AsyncIterator[httpx.AsyncClient]:
    """An api that needs no imaging."""
    async with open_api() as client:
        yield client


@pytest.fixture
async def whole_api(open_api: OpenApi, imaging_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """An api with imaging behind it."""
    async with open_api(imaging_url=imaging_url) as client:
        yield client


@pytest.fixture
async def ada(whole_api: httpx.AsyncClient) -> Person:
    """A user who may upload."""
    return await register(whole_api)
