"""A database for the job queue, and runners on it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from imghost_api.db.engine import Database
from imghost_api.jobs.job import JobHandler, PeriodicJob, Queue
from imghost_api.jobs.runner import JobRunner
from imghost_api.metrics import JobMetrics
from imghost_core import metrics
from imghost_core.settings import DatabaseSettings
from support.api import TenantDatabase, migrated_tenant
from support.jobs import Run
from support.postgres import Postgres

SLOTS = dict.fromkeys(Queue, 1)


@pytest.fixture(scope="module")
def jobs_tenant(postgres: Postgres) -> TenantDatabase:
    """A migrated database that no other test enqueues to."""
    return migrated_tenant(postgres)


@pytest.fixture
async def database(jobs_tenant: TenantDatabase) -> AsyncIterator[Database]:
    jobs_tenant.query("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    made = Database.open(DatabaseSettings(database_url=jobs_tenant.url("api")))
    yield made
    await made.close()


@pytest.fixture
def figures() -> JobMetrics:
    """The metrics of the runners of one test."""
    return JobMetrics(metrics.new_registry())


@pytest.fixture
def run(database: Database, jobs_tenant: TenantDatabase, figures: JobMetrics) -> Run:
    """Run handlers and periodic jobs, with one slot per queue, on the database at `url`, which is theirs by default."""

    @asynccontextmanager
    async def running(
        *handlers: JobHandler, periodic: Sequence[PeriodicJob] = (), grace: float = 1, url: str | None = None
    ) -> AsyncIterator[JobRunner]:
        runner = JobRunner(
            DatabaseSettings(database_url=url or jobs_tenant.url("api")),
            database,
            figures,
            concurrency=SLOTS,
            handlers=handlers,
            periodic=periodic,
        )
        async with runner.running(grace=grace):
            yield runner

    return running
