"""Operators as processes on a real API server, PostgreSQL and MinIO, and one tenant for them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.fleet import Fleet
from support.kube import Kube
from support.minio import Minio
from support.operators import environment, install_crds
from support.postgres import Postgres
from support.reconcile_harness import ReconcileHarness

LEASES = (("imghost-operator", "default"), ("imghost-operator-blue", "default"), ("imghost-operator", "kube-public"))


@pytest.fixture(scope="module", autouse=True)
def crds(kube_controllers: Kube) -> None:
    install_crds(kube_controllers)


@pytest.fixture
def fleet(kube: Kube, postgres: Postgres, minio: Minio, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(environment(kube, postgres, minio), tmp_path)
    yield made
    made.stop()
    for name, namespace in LEASES:
        kube.kubectl("delete", "lease", name, "-n", namespace, "--ignore-not-found")


@pytest.fixture
async def bench(kube: Kube, postgres: Postgres, minio: Minio, fleet: Fleet) -> AsyncIterator[ReconcileHarness]:
    made = ReconcileHarness(kube, postgres, minio)
    yield made
    fleet.stop()
    await made.close()
