"""An outbox of one's own, empty at the start of each test."""

from collections.abc import AsyncIterator

import pytest

from support.api import TenantDatabase, migrated_tenant
from support.outbox import Outbox
from support.postgres import Postgres


@pytest.fixture(scope="module")
def events_tenant(postgres: Postgres) -> TenantDatabase:
    """A migrated database that no other test writes to."""
    return migrated_tenant(postgres)


@pytest.fixture
async def outbox(events_tenant: TenantDatabase) -> AsyncIterator[Outbox]:
    """An empty outbox."""
    made = Outbox(events_tenant)
    made.prepare()
    yield made
    await made.database.close()
