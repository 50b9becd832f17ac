"""`publish`: an event exists if, and only if, the caller's transaction commits."""

import json

from sqlalchemy import text

from imghost_api.db.engine import Session
from imghost_api.events.event import Event
from imghost_core import logs

CHANNEL = "imghost_events"
_SUBJECT_LOCKS = 0x1196_0E17  # a number of our own among the database's advisory locks

# Ids are given out in the order of inserts, not of commits. The lock, taken before the id and held until the end of
# the transaction, makes the two the same for the events of one subject: who sees an event sees all before it.
_PUBLISH = text("""
    WITH subject_lock AS MATERIALIZED (
        SELECT pg_advisory_xact_lock(:locks, hashtext(:subject))
    ), added AS (
        INSERT INTO outbox (workspace_id, subject, type, version, payload, request_id)
        SELECT CAST(:workspace_id AS uuid), :subject, :type, :version, CAST(:payload AS jsonb), nullif(:request_id, '')
        FROM subject_lock
        RETURNING id
    )
    SELECT pg_notify(:channel, 'published') FROM added
""")


async def publish(session: Session, *events: Event) -> None:
    """Publish events in the session's transaction; delivered after its commit.

    Do it last: the transaction holds a lock on each subject from here to its end, and others that publish for the
    same subject wait for it. Publish several subjects by one call: it takes their locks in one order for all callers.
    """
    for event in sorted(events, key=lambda event: event.subject):
        await session.execute(
            _PUBLISH,
            {
                "locks": _SUBJECT_LOCKS,
                "channel": CHANNEL,
                "workspace_id": event.workspace_id,
                "subject": event.subject,
                "type": event.type,
                "version": event.version,
                "payload": json.dumps(event.model_dump(mode="json")),
                "request_id": logs.request_id.get(),
            },
        )
