"""What every test may use: real parts, started when the first test asks, and a fence around the network."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import hypothesis
import pytest
from hypothesis import HealthCheck

from imghost_dev import programs
from imghost_dev.chart import Helm
from support.folders import shared_folder
from support.kube import Kube, controller_programs
from support.minio import Minio
from support.network import Guard
from support.postgres import Postgres

GUARD = pytest.StashKey[Guard]()
PARTS = pytest.StashKey[list[str]]()
PROGRAMS = {
    "helm": programs.helm,
    "kube": programs.kubernetes,
    "kube_controllers": controller_programs,
    "minio": programs.minio,
}
"""What has to be there before the fixtures of these names."""


def pytest_configure(config: pytest.Config) -> None:
    """Install the network guard; end in order on SIGTERM too; no client may go through a proxy to this machine."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.stash[GUARD] = Guard()
    config.stash[PARTS] = []
    # Generating is slow while other tests keep the processor busy: that is no finding.
    hypothesis.settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    hypothesis.settings.load_profile("shared")
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--requirement 000-R12` runs only the tests that prove this row of docs/requirements.toml."""
    parser.addoption("--requirement", metavar="ID", help="run only the tests that prove this requirement")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what does not prove the requirement that was asked for."""
    row = config.getoption("--requirement")
    if row is not None:
        rest = [item for item in items if not any(row in marker.args for marker in item.iter_markers("requirement"))]
        items[:] = [item for item in items if item not in rest]
        config.hook.pytest_deselected(items=rest)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build missing programs before the first test, where no test's time limit runs and progress is seen."""
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    reporter = session.config.pluginmanager.getplugin("terminalreporter")  # one of several processes has none
    say = reporter.write_line if reporter else print
    for fixture, find in PROGRAMS.items():
        if fixture in wanted and not session.config.option.collectonly:
            find(say)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several test processes tells the first which real parts it used."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["parts"] = session.config.stash[PARTS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear it from one of several test processes."""
    node.config.stash[PARTS].extend(getattr(node, "workeroutput", {}).get("parts", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell which real parts this run was proved on."""
    parts = config.stash[PARTS] or ["none was asked for"]
    terminalreporter.write_sep("-", "real parts")
    for part in parts:
        terminalreporter.write_line(part)


@pytest.fixture(autouse=True)
def network(pytestconfig: pytest.Config) -> Iterator[Guard]:
    """Fail a test that tries to leave this machine; the rule is told by support.network.Guard."""
    guard = pytestconfig.stash[GUARD]
    guard.refused()
    guard.enabled = True
    yield guard
    guard.enabled = False
    refused = guard.refused()
    if refused:
        pytest.fail(f"the test tried to leave this machine: {', '.join(refused)}")


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[Postgres]:
    """A real PostgreSQL 18, from the wheel that the product itself embeds."""
    with shared_folder("postgres") as folder:
        server = Postgres(folder)
        with _served(pytestconfig, server, f"PostgreSQL {server.version} (wheel)"):
            yield server


@pytest.fixture(scope="session")
def minio(pytestconfig: pytest.Config) -> Iterator[Minio]:
    """A real MinIO."""
    found = programs.minio()
    with shared_folder("minio") as folder:
        server = Minio(found, folder)
        with _served(pytestconfig, server, str(found)):
            yield server


@pytest.fixture(scope="session")
def kube(pytestconfig: pytest.Config) -> Iterator[Kube]:
    """A real kube-apiserver on a real etcd; nothing acts on the objects, see `kube_controllers`."""
    found = programs.kubernetes()
    with shared_folder("kube") as folder:
        server = Kube(found, folder)
        with _served(pytestconfig, server, f"{found}: kube-apiserver and etcd"):
            yield server


@pytest.fixture(scope="session")
def helm(pytestconfig: pytest.Config) -> Helm:
    """The real Helm."""
    found = programs.helm()
    pytestconfig.stash[PARTS].append(str(found))
    return Helm(found.path("helm"))


@pytest.fixture(scope="module")
def kube_controllers(pytestconfig: pytest.Config, kube: Kube) -> Iterator[Kube]:
    """The API of `kube` while real controllers delete namespaces, collect orphans and count quotas.

    Only for the module that asks for it, so that other tests never depend on whether it came before them.
    """
    controllers = kube.controllers()
    with _served(pytestconfig, controllers, controllers.name):
        yield kube


class Server(Protocol):
    """What the fixtures start and stop."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


@contextmanager
def _served(config: pytest.Config, server: Server, name: str) -> Iterator[None]:
    """Run a server for the tests, and remember for the summary that it did and how long it took to be ready."""
    began = time.monotonic()
    try:
        server.start()
        config.stash[PARTS].append(f"{name}, ready in {time.monotonic() - began:.1f} s")
        yield
    finally:
        server.stop()
