"""Retention of events."""

import json

import pytest

from imghost_api.images.events import ImageDeleted
from imghost_api.worker_context import WorkerContext
from imghost_core.ids import uuid7
from support.api import TenantDatabase
from support.jobs import periodic_jobs


@pytest.mark.parametrize("days", [2, 30])
async def test_events_are_kept_as_long_as_the_setting_says(
    worker_context: WorkerContext, tenant: TenantDatabase, days: int
) -> None:
    """Delivered events are removed after EVENTS_RETENTION_DAYS; younger ones, and those not delivered yet, stay."""
    workspace = uuid7()
    for number, age, routed in ((1, days + 1, True), (2, days - 1, True), (3, days + 1, False)):
        tenant.query(
            "INSERT INTO outbox (workspace_id, subject, type, version, payload, routed, created_at)"
            " VALUES (%s, %s, %s, 1, %s, %s, now() - %s * interval '1 day')",
            workspace,
            f"test/{workspace}",
            ImageDeleted.type,
            json.dumps({"number": number}),
            routed,
            age,
        )
    await periodic_jobs(worker_context, events_retention_days=days)["delete_old_events"].run()
    left = "SELECT (payload ->> 'number')::int FROM outbox WHERE workspace_id = %s ORDER BY id"
    assert tenant.query(left, workspace) == [(2,), (3,)]
    tenant.query("DELETE FROM outbox WHERE workspace_id = %s", workspace)
