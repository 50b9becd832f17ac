"""An outbox of one's own, empty at the start of each test."""

from collections.abc import AsyncIterator

import pytest

from support.api import TenantDatabase, new_tenant
from support.outbox import Outbox
from support.postgres import Postgres


@pytest.fixture(scope="module")
def events_tenant(postgres: Postgres) -> TenantDatabase:
    """A migrated database that no other test writes to."""
    made = new_tenant(postgres)
    made.migrate()
    return made


@pytest.fixture
async def outbox(events_tenant: TenantDatabase) -> AsyncIterator[Outbox]:
    """An empty outbox."""
    made = Outbox(events_tenant)
    made.prepare()
    yield made
    await made.database.close()
