"""The cluster that the scenarios run in, fresh tenants for each, and the table of what was measured."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from imghost_dev.cluster import providers
from imghost_dev.cluster.install import BACKENDS, NAMESPACE, RELEASE, Installation
from imghost_dev.cluster.kubectl import Kubectl
from imghost_dev.cluster.provider import Provider, Times, wait_until
from support.e2e.backends import PORTS, Backends
from support.e2e.crash import Crash
from support.e2e.faults import Faults
from support.e2e.figures import Figures
from support.e2e.objects import Objects, connect
from support.e2e.tenants import DELETED_WITHIN, PREFIX, Tenants
from support.network import Guard

FIGURES = pytest.StashKey[Figures]()
SCENARIO_SECONDS = 300


def pytest_configure(config: pytest.Config) -> None:
    """One table for the whole run."""
    config.stash[FIGURES] = Figures()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a cluster, and more time than a test of `make test` may take."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.node)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(SCENARIO_SECONDS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured."""
    terminalreporter.write_sep("-", "measured")
    for line in config.stash[FIGURES].lines():
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Where scenarios leave what they measured."""
    return pytestconfig.stash[FIGURES]


@pytest.fixture(scope="session")
def provider() -> Provider:
    """The cluster of this checkout, which must run; `make e2e` sees to that."""
    provider = providers.find(os.environ.get("IMGHOST_CLUSTER", "local"))
    assert provider.is_up(), "no cluster runs; `make e2e` starts one for the scenarios"
    return provider


@pytest.fixture(scope="session")
def installation(provider: Provider) -> Installation:
    """What is installed there, with the images of this checkout."""
    installation = Installation(provider, Times(lambda _: None))
    installation.load_images()
    return installation


@pytest.fixture(scope="session")
def kubectl(provider: Provider) -> Kubectl:
    """An administrator's kubectl."""
    return Kubectl(provider.kubeconfig)


@pytest.fixture(scope="session")
def objects(kubectl: Kubectl) -> Iterator[Objects]:
    """The cluster's objects, for an administrator. At the end no tenant of ours is left."""
    with connect(kubectl) as objects:
        yield objects
        wait_until(lambda: not _ours(objects), within=DELETED_WITHIN, why=lambda: f"{_ours(objects)} still exist")


def _ours(objects: Objects) -> list[str]:
    names = [tenant["metadata"]["name"] for tenant in objects.list("ImageHostTenant")]
    return [name for name in names if name.startswith(PREFIX)]


@pytest.fixture(scope="session")
def backends(provider: Provider, objects: Objects) -> Iterator[Backends]:
    """PostgreSQL and MinIO of the cluster."""
    backends = Backends(objects, provider.address)
    backends.open()
    yield backends
    backends.close()


@pytest.fixture(scope="session")
def crash(kubectl: Kubectl, tools_image: str) -> Iterator[Crash]:
    """Kills processes of pods."""
    crash = Crash(kubectl, tools_image)
    try:
        crash.start()
        with crash.arm():
            yield crash
    finally:
        crash.stop()


@pytest.fixture
def operators_renewed(kubectl: Kubectl) -> Iterator[None]:
    """New pods afterwards in the place of those that crashed so often that they would be started later and later."""
    yield
    _renew(kubectl, NAMESPACE, f"deployment/{RELEASE}-operator")


@pytest.fixture
def backends_renewed(kubectl: Kubectl) -> Iterator[None]:
    """The same for PostgreSQL and MinIO."""
    yield
    _renew(kubectl, BACKENDS, *(f"statefulset/{server}" for server in PORTS))


def _renew(kubectl: Kubectl, namespace: str, *workloads: str) -> None:
    """Replace the pods of these workloads, all together."""
    kubectl("rollout", "restart", *workloads, f"--namespace={namespace}")
    for workload in workloads:
        kubectl("rollout", "status", workload, f"--namespace={namespace}", "--timeout=90s")


@pytest.fixture(scope="session")
def tools_image(provider: Provider, installation: Installation) -> str:
    """An image of the cluster with a shell and Python."""
    return provider.images(Times(lambda _: None)).by_name("postgres").tag


@pytest.fixture
async def http(provider: Provider, network: Guard) -> AsyncIterator[httpx.AsyncClient]:
    """Connections to tenants, through the ports of the node."""
    network.allowed.add(provider.address)
    async with httpx.AsyncClient(timeout=httpx.Timeout(30, connect=5), trust_env=False) as client:
        yield client


@pytest.fixture
async def tenants(
    objects: Objects, installation: Installation, http: httpx.AsyncClient, figures: Figures
) -> AsyncIterator[Tenants]:
    """Makes tenants; they end with the scenario."""
    tenants = Tenants(objects, installation, http, figures)
    try:
        yield tenants
    finally:
        tenants.close()


@pytest.fixture
def under_load(tenants: Tenants, figures: Figures, tmp_path: Path) -> Faults:
    """Lets faults happen to tenants in use."""
    return Faults(tenants, figures, tmp_path)
