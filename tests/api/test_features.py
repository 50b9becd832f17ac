"""The list of features is complete and without contradictions."""

import importlib
import itertools
import pkgutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter

import imghost_api
from imghost_api.events.event import Event
from imghost_api.features import FEATURES
from imghost_api.jobs.job import Job, JobHandler
from imghost_api.worker_context import WorkerContext
from support.jobs import periodic_jobs


def subclasses(base: type) -> Iterator[type]:
    """Every named class of the api below `base`; private ones are bases of others."""
    for module in pkgutil.walk_packages(imghost_api.__path__, "imghost_api."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = list(base.__subclasses__())
    while found:
        kind = found.pop()
        found += kind.__subclasses__()
        if kind.__module__.startswith("imghost_api") and not kind.__name__.startswith("_"):
            yield kind


def test_every_event_is_listed_once() -> None:
    """Each event belongs to one feature and has a type of its own; without that its rows would never be deleted."""
    listed = [event for feature in FEATURES for event in feature.events]
    assert set(listed) == set(subclasses(Event))
    assert [name for name, times in Counter(event.type for event in listed).items() if times > 1] == []


def test_subscribers_have_names_of_their_own() -> None:
    """Deliveries are stored under the name of a subscriber, so no two share one; each takes listed events only."""
    subscribers = [subscriber for feature in FEATURES for subscriber in feature.subscribers]
    assert [name for name, times in Counter(subscriber.name for subscriber in subscribers).items() if times > 1] == []
    types = {event.type for feature in FEATURES for event in feature.events}
    assert {kind for subscriber in subscribers for kind in subscriber.subscriptions} <= types


async def test_every_job_is_run_by_one_handler(worker_context: WorkerContext) -> None:
    """Each class of jobs has one handler, and no two jobs share a name."""
    jobs = [job for feature in FEATURES for job in feature.jobs(worker_context)]
    handled = [job.job for job in jobs if isinstance(job, JobHandler)]
    assert Counter(handled) == Counter(subclasses(Job))
    names = [job.job.name if isinstance(job, JobHandler) else job.name for job in jobs]
    assert [name for name, times in Counter(names).items() if times > 1] == []


LONGEST_WAITS = {
    "roll_up_views": timedelta(minutes=1),
    "delete_expired_views": timedelta(hours=1),
    "sweep_orphans": timedelta(hours=1),
    "delete_old_events": timedelta(hours=1),
    "delete_expired_idempotency_keys": timedelta(hours=1),
    "delete_expired_login_attempts": timedelta(hours=1),
    "delete_unused_addresses": timedelta(days=1),
    "fold_rate_windows": timedelta(hours=1),
}
"""How long what a periodic job does may wait for its next run."""


@pytest.mark.parametrize("name", LONGEST_WAITS)
async def test_periodic_jobs_run_often_enough(worker_context: WorkerContext, name: str) -> None:
    """Every job that nothing enqueues is scheduled, and the pause between two runs is never longer than planned."""
    jobs = periodic_jobs(worker_context)
    assert jobs.keys() == LONGEST_WAITS.keys()
    runs = croniter(jobs[name].cron, datetime(2026, 2, 27, tzinfo=UTC), ret_type=datetime)
    moments = [runs.get_next() for _ in range(100)]
    assert max(later - earlier for earlier, later in itertools.pairwise(moments)) <= LONGEST_WAITS[name]
