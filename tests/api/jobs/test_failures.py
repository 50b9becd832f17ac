"""Jobs that fail, and workers that die: retries, heartbeats, and what is kept for inspection."""

import asyncio

from imghost_api.db.engine import Database
from imghost_api.jobs.job import on
from imghost_api.jobs.runner import ATTEMPTS
from imghost_api.metrics import JobMetrics
from imghost_core.errors import Unavailable
from support.api import TenantDatabase
from support.eventually import eventually
from support.forwarder import Forwarder
from support.jobs import Run, Write, put, record
from support.metrics import value


async def test_a_failing_job_is_retried_then_kept(
    database: Database, run: Run, jobs_tenant: TenantDatabase, figures: JobMetrics
) -> None:
    """A job that fails waits for its next attempt; after the last it is kept as failed, counted, and left alone."""

    async def fail(_: Write) -> None:
        raise Unavailable("never")

    await put(database, Write(number=5))
    async with run(on(Write, fail)) as runner:
        # Not exactly 1: the first pause is 2 s, which a busy machine may need for one look.
        retry = "SELECT 1 FROM procrastinate_jobs WHERE attempts >= 1 AND scheduled_at > now() AND status = 'todo'"
        await eventually(lambda: jobs_tenant.query(retry), why="it waits for another attempt")
        assert value(figures.jobs, "write", "failed") >= 1
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
        left = "SELECT task_name, status::text FROM procrastinate_jobs"
        await eventually(lambda: jobs_tenant.query(left) == [("sweep", "aborted")], why="its row is removed")


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


async def test_a_worker_that_stops_while_it_connects_leaves_nothing_behind(
    run: Run, jobs_tenant: TenantDatabase
) -> None:
    """Tasks that are left when a worker stops during its first connection end when they are cancelled once."""
    async with Forwarder(jobs_tenant.server.port) as network:
        network.hold()
        before = asyncio.all_tasks()
        async with run(url=jobs_tenant.url("api").replace(f":{jobs_tenant.server.port}/", f":{network.port}/")):
            await asyncio.wait_for(network.held.wait(), timeout=10)
        left = {task for task in asyncio.all_tasks() - before if task.get_name().startswith("pool-")}
        for task in left:
            task.cancel()
        assert not left or not (await asyncio.wait(left, timeout=10))[1]
