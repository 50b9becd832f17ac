"""Retention of events."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.events import queries
from imghost_api.events.event import Event
from imghost_api.jobs.job import PeriodicJob

_BATCH: Final = 5_000


def jobs(database: Database, events: Collection[type[Event]], retention: timedelta) -> Sequence[PeriodicJob]:
    """Every job of this room; `events` are all that this release knows."""
    return [PeriodicJob("delete_old_events", "23 * * * *", partial(delete_old_events, database, events, retention))]


async def delete_old_events(database: Database, events: Collection[type[Event]], retention: timedelta) -> None:
    """Delete events that every subscriber has received. Types of another release are left to it."""
    deleted = _BATCH
    while deleted == _BATCH:
        async with all_workspaces(database) as session:
            types = [event.type for event in events]
            deleted = await queries.delete_old(session, types, retention=retention, batch=_BATCH)
