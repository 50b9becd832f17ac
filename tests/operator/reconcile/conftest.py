"""A bench for each test: one reconcile on a real API server, PostgreSQL and MinIO, with a tenant of its own."""

from collections.abc import AsyncIterator

import pytest

from support.kube import Kube
from support.minio import Minio
from support.operators import install_crds
from support.postgres import Postgres
from support.reconcile_harness import ReconcileHarness


@pytest.fixture(scope="module", autouse=True)
def crds(kube_controllers: Kube) -> None:
    """The API server knows the resource."""
    install_crds(kube_controllers)


@pytest.fixture
async def bench(kube: Kube, postgres: Postgres, minio: Minio) -> AsyncIterator[ReconcileHarness]:
    """Closed after the test."""
    made = ReconcileHarness(kube, postgres, minio)
    yield made
    await made.close()
