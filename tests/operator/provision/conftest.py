"""A PostgreSQL backend, and the name of a tenant for it."""

import secrets
from collections.abc import AsyncIterator

import pytest

from imghost_operator.provision.database import PostgresBackend
from support.postgres import Postgres


@pytest.fixture
def backend(postgres: Postgres) -> PostgresBackend:
    return PostgresBackend(postgres.admin_url)


@pytest.fixture
async def tenant(backend: PostgresBackend) -> AsyncIterator[str]:
    """The name of a tenant whose database goes when the test ends."""
    name = f"db-{secrets.token_hex(4)}"
    yield name
    await backend.drop(name)
