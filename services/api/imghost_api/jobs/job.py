"""What a feature declares in its `jobs.py`: a class of arguments per job, and what runs it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, ConfigDict

REQUEST_ID: Final = "_request_id"
"""Among a job's stored arguments: the request that caused it, for the logs."""


class Queue(StrEnum):
    """Classes of work. Each has workers of its own, so that a backlog in one does not delay the others."""

    DEFAULT = "default"
    """A caller waits for the result."""
    BULK = "bulk"
    """Much work per job, or many jobs: object deletion, imports, exports."""
    MAINTENANCE = "maintenance"
    """On a schedule: counters, retention, orphans."""


class Job(BaseModel):
    """The arguments of one kind of job; the class says its name and its queue.

    Arguments are stored as JSON and may be read by another release: unknown ones are ignored, and a new one needs a
    default. A job must be safe to run again: a killed worker's jobs are.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: ClassVar[str]
    queue: ClassVar[Queue] = Queue.DEFAULT


AnyJob = TypeVar("AnyJob", bound=Job)


@dataclass(frozen=True, slots=True)
class JobHandler:
    """Runs the jobs of one class; made by `on`."""

    job: type[Job]
    run: Callable[[Any], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """Runs on a schedule in UTC: one worker runs it each time, and one run ends before the next begins.

    A run that fails is not repeated; the next one does its work.
    """

    name: str
    cron: str
    run: Callable[[], Awaitable[object]]
    queue: Queue = Queue.MAINTENANCE


def on(job: type[AnyJob], run: Callable[[AnyJob], Awaitable[object]]) -> JobHandler:
    """Run every enqueued `job` with `run`; one that fails is retried with growing pauses, then kept as failed."""
    return JobHandler(job, run)
