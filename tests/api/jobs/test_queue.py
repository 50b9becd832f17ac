"""The job queue: jobs of a transaction, classes of work, retries, dead workers, skewed releases."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar

import pytest

from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.jobs.enqueue import enqueue
from imghost_api.jobs.job import Job, JobHandler, PeriodicJob, Queue, on
from imghost_api.jobs.runner import ATTEMPTS, JobRunner
from imghost_api.metrics import JobMetrics
from imghost_core import logs, metrics
from imghost_core.errors import Unavailable
from imghost_core.settings import DatabaseSettings
from support.api import TenantDatabase, new_tenant
from support.eventually import eventually
from support.metrics import value
from support.postgres import Postgres

SLOTS = dict.fromkeys(Queue, 1)
Run = Callable[..., AbstractAsyncContextManager[JobRunner]]


class Write(Job):
    """A job with a result that a test waits for."""

    name: ClassVar[str] = "write"

    number: int


class Import(Write):
    """The same as bulk work."""

    name: ClassVar[str] = "import"
    queue: ClassVar[Queue] = Queue.BULK


@pytest.fixture(scope="module")
def jobs_tenant(postgres: Postgres) -> TenantDatabase:
    """A migrated database that no other test enqueues to."""
    made = new_tenant(postgres)
    made.migrate()
    return made


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
    """Run handlers and periodic jobs, with one slot per queue."""

    @asynccontextmanager
    async def running(
        *handlers: JobHandler, periodic: Sequence[PeriodicJob] = (), grace: float = 1
    ) -> AsyncIterator[JobRunner]:
        runner = JobRunner(
            DatabaseSettings(database_url=jobs_tenant.url("api")),
            database,
            figures,
            concurrency=SLOTS,
            handlers=handlers,
            periodic=periodic,
        )
        async with runner.running(grace=grace):
            yield runner

    return running


async def put(database: Database, *jobs: Job, lock: str | None = None) -> None:
    async with all_workspaces(database) as session:
        for job in jobs:
            await enqueue(session, job, lock=lock)


def record(numbers: list[int]) -> Callable[[Write], Awaitable[None]]:
    async def write(job: Write) -> None:
        numbers.append(job.number)

    return write


async def test_a_job_is_part_of_its_transaction(database: Database, jobs_tenant: TenantDatabase) -> None:
    """A job exists if, and only if, the transaction that enqueued it commits."""
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with all_workspaces(database) as session:
            await enqueue(session, Write(number=1))
            raise RuntimeError("changed my mind")
    await put(database, Write(number=2))
    jobs = "SELECT task_name, queue_name, args FROM procrastinate_jobs"
    assert jobs_tenant.query(jobs) == [("write", "default", {"number": 2})]


async def test_a_job_runs_with_its_arguments_and_is_removed(
    database: Database, run: Run, jobs_tenant: TenantDatabase, figures: JobMetrics
) -> None:
    """A job gets the arguments it was enqueued with, typed; once done its row is removed and it is counted."""
    done: list[int] = []
    async with run(on(Write, record(done))):
        await put(database, Write(number=7))
        await eventually(lambda: done == [7], why="it runs")
        await eventually(lambda: jobs_tenant.query("SELECT 1 FROM procrastinate_jobs") == [], why="it is removed")
        assert value(figures.jobs, "write", "done") == 1


async def test_a_job_carries_the_id_of_the_request_that_caused_it(database: Database, run: Run) -> None:
    """The logs of a job name the request in which it was enqueued."""
    seen: list[str] = []

    async def look(_: Write) -> None:
        seen.append(logs.request_id.get())

    token = logs.request_id.set("request-1")
    await put(database, Write(number=1))
    logs.request_id.reset(token)
    await put(database, Write(number=2))
    async with run(on(Write, look)):
        await eventually(lambda: len(seen) == 2, why="both run")
    assert sorted(seen) == ["", "request-1"]


async def test_a_backlog_of_bulk_work_delays_no_other_queue(database: Database, run: Run, figures: JobMetrics) -> None:
    """While every slot for bulk work is taken and more waits, a job of the default queue runs."""
    hanging, done = asyncio.Event(), list[int]()

    async def hang(_: Import) -> None:
        await hanging.wait()

    async with run(on(Import, hang), on(Write, record(done))) as runner:
        await put(database, *(Import(number=number) for number in range(5)))
        await put(database, Write(number=1))
        await eventually(lambda: done == [1], why="the default queue goes on")
        await runner.recover()
        assert value(figures.waiting, "bulk") >= 4
        assert value(figures.oldest, "bulk") > 0
        assert value(figures.waiting, "default") == 0
        hanging.set()


async def test_jobs_with_one_lock_run_in_order(database: Database, run: Run) -> None:
    """Jobs enqueued with the same lock run one after the other, in order, also when one has to be retried."""
    done: list[int] = []
    failing = True

    async def write(job: Write) -> None:
        nonlocal failing
        if job.number == 1 and failing:
            failing = False
            raise Unavailable("not now")
        done.append(job.number)

    await put(database, *(Write(number=number) for number in (1, 2, 3)), lock="workspace/a")
    async with run(on(Write, write)):
        await eventually(lambda: done == [1, 2, 3], within=20, why="in order")


async def test_arguments_of_a_newer_release_are_ignored(database: Database, run: Run) -> None:
    """A job with an argument that this release does not know runs without it."""

    class Newer(Write):
        colour: str

    done: list[int] = []
    await put(database, Newer(number=3, colour="blue"))
    async with run(on(Write, record(done))):
        await eventually(lambda: done == [3], why="it runs")


async def test_a_job_of_a_newer_release_waits_for_one(
    database: Database, run: Run, jobs_tenant: TenantDatabase
) -> None:
    """A worker that does not know a job sets it aside; one that does runs it."""
    done: list[int] = []
    await put(database, Write(number=4))
    async with run(on(Import, record([]))):
        aside = "SELECT 1 FROM procrastinate_jobs WHERE status = 'failed'"
        await eventually(lambda: jobs_tenant.query(aside), why="it is set aside")
    async with run(on(Write, record(done))) as runner:
        await runner.recover()
        now = "UPDATE procrastinate_jobs SET scheduled_at = now()"  # instead of waiting for the pause
        await asyncio.to_thread(jobs_tenant.query, now)
        await eventually(lambda: done == [4], why="it runs")


async def test_a_failing_job_is_retried_then_kept(
    database: Database, run: Run, jobs_tenant: TenantDatabase, figures: JobMetrics
) -> None:
    """A job that fails waits for its next attempt; after the last it is kept as failed, counted, and left alone."""

    async def fail(_: Write) -> None:
        raise Unavailable("never")

    await put(database, Write(number=5))
    async with run(on(Write, fail)) as runner:
        retry = "SELECT 1 FROM procrastinate_jobs WHERE attempts = 1 AND scheduled_at > now() AND status = 'todo'"
        await eventually(lambda: jobs_tenant.query(retry), why="it waits for another attempt")
        assert value(figures.jobs, "write", "failed") == 1
        last = "UPDATE procrastinate_jobs SET attempts = %s, scheduled_at = now()"
        await asyncio.to_thread(jobs_tenant.query, last, ATTEMPTS)
        failed = "SELECT 1 FROM procrastinate_jobs WHERE status = 'failed'"
        await eventually(lambda: jobs_tenant.query(failed), why="it is given up")
        await runner.recover()
        assert jobs_tenant.query(failed) == [(1,)]
        assert value(figures.failed) == 1


async def test_a_dead_workers_job_runs_again(database: Database, run: Run, jobs_tenant: TenantDatabase) -> None:
    """A job whose worker stopped its heartbeat is run by another; a periodic one is left to its next run."""
    await put(database, Write(number=6))
    jobs_tenant.query(
        "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)"
        " VALUES (now() - interval '1 hour') RETURNING id), old AS ("
        " INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, status, worker_id)"
        " SELECT 'maintenance', 'sweep', 'sweep', 'sweep', 'doing', id FROM dead)"
        " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)"
    )
    done: list[int] = []
    async with run(on(Write, record(done))) as runner:
        await runner.recover()
        await eventually(lambda: done == [6], within=15, why="it runs again")
    assert jobs_tenant.query("SELECT task_name, status::text FROM procrastinate_jobs") == [("sweep", "aborted")]


async def test_a_job_that_ends_its_workers_is_given_up(
    database: Database, run: Run, jobs_tenant: TenantDatabase
) -> None:
    """A job under which one worker after the other died is kept as failed, not run again."""
    await put(database, Write(number=8))
    jobs_tenant.query("UPDATE procrastinate_jobs SET status = 'doing', attempts = %s", ATTEMPTS)
    done: list[int] = []
    async with run(on(Write, record(done))) as runner:
        await runner.recover()
        await runner.recover()
    assert done == []
    assert jobs_tenant.query("SELECT status::text FROM procrastinate_jobs") == [("failed",)]


async def test_ended_runs_are_removed_after_a_while(database: Database, run: Run, jobs_tenant: TenantDatabase) -> None:
    """Failed runs of periodic jobs are removed after two weeks; a failed job that was enqueued stays for inspection."""
    jobs_tenant.query(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock) VALUES"
        " ('maintenance', 'old', 'old'), ('maintenance', 'young', 'young'), ('default', 'write', NULL)"
    )
    jobs_tenant.query("UPDATE procrastinate_jobs SET status = 'doing'")
    jobs_tenant.query("UPDATE procrastinate_jobs SET status = 'failed', attempts = %s", ATTEMPTS + 1)
    jobs_tenant.query(
        "UPDATE procrastinate_events e SET at = now() - interval '15 days'"
        " FROM procrastinate_jobs j WHERE j.id = e.job_id AND j.task_name <> 'young'"
    )
    async with run(on(Write, record([]))) as runner:
        await runner.recover()
        left = "SELECT task_name FROM procrastinate_jobs ORDER BY 1"
        assert await asyncio.to_thread(jobs_tenant.query, left) == [("write",), ("young",)]


async def test_a_periodic_job_runs_once_among_workers(run: Run) -> None:
    """Two workers with the same schedule run each occurrence once, and a failed run does not stop the next."""
    runs = 0

    async def tick() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise Unavailable("the first run fails")

    periodic = [PeriodicJob("tick", "* * * * * */1", tick, queue=Queue.DEFAULT)]
    began = time.monotonic()
    async with run(periodic=periodic), run(periodic=periodic):
        await eventually(lambda: runs >= 5, within=20, why="it goes on")
    assert runs <= time.monotonic() - began + 2


async def test_stopping_lets_a_job_end(database: Database, run: Run, jobs_tenant: TenantDatabase) -> None:
    """A job under way when the worker stops is finished within the grace; one that does not end is queued again."""
    started, release, done = asyncio.Event(), asyncio.Event(), list[int]()

    async def work(job: Write) -> None:
        started.set()
        await release.wait()
        done.append(job.number)

    await put(database, Write(number=1))
    async with run(on(Write, work), grace=10):
        await started.wait()
        asyncio.get_running_loop().call_later(0.2, release.set)
    assert done == [1]
    started.clear()
    release.clear()
    await put(database, Write(number=2))
    async with run(on(Write, work), grace=0.2):
        await started.wait()
    assert jobs_tenant.query("SELECT status::text FROM procrastinate_jobs") == [("todo",)]
    assert done == [1]


def test_enqueueing_is_typed() -> None:
    """A job's arguments are checked where it is made: a wrong name or type is an error there."""
    wrong: Any = "many"
    with pytest.raises(ValueError, match="number"):
        Write(number=wrong)
