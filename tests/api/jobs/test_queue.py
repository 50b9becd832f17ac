"""The job queue: jobs of a transaction, classes of work, order, schedules, jobs of other releases."""

import asyncio
import time
from typing import Any

import pytest

from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.jobs.enqueue import enqueue
from imghost_api.jobs.job import PeriodicJob, Queue, on
from imghost_api.metrics import JobMetrics
from imghost_core import logs
from imghost_core.errors import Unavailable
from support.api import TenantDatabase
from support.eventually import eventually
from support.jobs import Import, Run, Write, put, record
from support.metrics import value


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
