"""Jobs for tests of the queue: their classes, how a test enqueues them and records their runs."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import ClassVar

from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.features import FEATURES
from imghost_api.jobs.enqueue import enqueue
from imghost_api.jobs.job import Job, PeriodicJob, Queue
from imghost_api.jobs.runner import JobRunner
from imghost_api.worker_context import WorkerContext

Run = Callable[..., AbstractAsyncContextManager[JobRunner]]


def periodic_jobs(context: WorkerContext, **settings: object) -> dict[str, PeriodicJob]:
    """The periodic jobs of all features by name, as a worker with these settings schedules them."""
    changed = replace(context, settings=context.settings.model_copy(update=settings))
    jobs = [job for feature in FEATURES for job in feature.jobs(changed)]
    return {job.name: job for job in jobs if isinstance(job, PeriodicJob)}


class Write(Job):
    """A job of the default queue with a number to recognize it by."""

    name: ClassVar[str] = "write"

    number: int


class Import(Write):
    """The same in the queue for bulk work."""

    name: ClassVar[str] = "import"
    queue: ClassVar[Queue] = Queue.BULK


async def put(database: Database, *jobs: Job, lock: str | None = None) -> None:
    """Enqueue `jobs` in one transaction."""
    async with all_workspaces(database) as session:
        for job in jobs:
            await enqueue(session, job, lock=lock)


def record(numbers: list[int]) -> Callable[[Write], Awaitable[None]]:
    """A handler that appends the number of each job that it runs to `numbers`."""

    async def write(job: Write) -> None:
        numbers.append(job.number)

    return write
