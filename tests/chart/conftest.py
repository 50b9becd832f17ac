"""A Kubernetes API of its own for the chart, which writes down what the operator asks of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from imghost_dev import programs
from imghost_dev.chart import CHART, NAMESPACE, Helm
from support.audit_log import AuditedKube, Credentials


class Install(Protocol):
    """How tests call `install`."""

    def __call__(self, *flags: str | Path, chart: Path = CHART) -> None: ...


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedKube]:
    """The control plane, with real controllers, and with the namespace that the chart is installed in."""
    kube = AuditedKube(programs.kubernetes(), tmp_path_factory.mktemp("cluster"))
    controllers = kube.controllers()
    try:
        kube.start()
        controllers.start()
        kube.kubectl("create", "namespace", NAMESPACE)
        kube.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
        yield kube
    finally:
        controllers.stop()
        kube.stop()


@pytest.fixture(scope="session")
def remote(helm: Helm, cluster: AuditedKube) -> Helm:
    """Helm as administrator of the control plane."""
    return helm.at(f"--kubeconfig={cluster.kubeconfig}", f"--namespace={NAMESPACE}")


@pytest.fixture
def credentials(cluster: AuditedKube, tmp_path: Path) -> Credentials:
    """Makes what a pod finds mounted for its service account."""
    return Credentials(cluster, tmp_path)


@pytest.fixture(scope="module")
def install(remote: Helm) -> Iterator[Install]:
    """Installs or upgrades the release `imghost`, without waiting for pods, as there are no nodes."""

    def run(*flags: str | Path, chart: Path = CHART) -> None:
        remote.run("upgrade", "--install", "imghost", chart, *flags)

    yield run
    remote.run("uninstall", "imghost", "--no-hooks", "--ignore-not-found")
