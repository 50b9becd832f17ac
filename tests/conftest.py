"""What every test may use: real services, started when the first test asks, and a guard around the network."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

import hypothesis
import pytest
from hypothesis import HealthCheck

from imghost_dev import programs
from imghost_dev.chart import Helm
from imghost_dev.program_cache import ProgramMissing, Say
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
"""What the fixtures of these names need; built before the first test when a collected test uses one."""
SERVICES = frozenset({*PROGRAMS, "demo", "imghost", "local", "postgres"})
"""Fixtures that start a process or run a built program: a test that uses one is marked `services`."""


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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs services, so that `make unit` can leave it out; keep what proves the requirement asked for."""
    for item in items:
        if _fixtures(item) & SERVICES:
            item.add_marker(pytest.mark.services)
    row = config.getoption("--requirement")
    if row is not None:
        rest = [item for item in items if not any(row in marker.args for marker in item.iter_markers("requirement"))]
        items[:] = [item for item in items if item not in rest]
        config.hook.pytest_deselected(items=rest)


@pytest.hookimpl(tryfirst=True)  # before xdist reports the tests and gets some assigned
def pytest_collection_finish(session: pytest.Session) -> None:
    """Build missing programs before the first test, where no test's time limit runs, with progress shown."""
    if session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in _fixtures(item)}
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        for fixture, find in PROGRAMS.items():
            if fixture in wanted:
                _prepare(session.config, find)


def _prepare(config: pytest.Config, find: Callable[[Say], object]) -> None:
    """Find or build a program; a failure ends the run with its one line in place of a traceback."""
    try:
        find(_show_progress)
    except ProgramMissing as error:
        if hasattr(config, "workeroutput"):
            config.workeroutput["error"] = str(error)
        _end(str(error))


def _end(error: str) -> None:
    pytest.exit(f"error: {error}", returncode=pytest.ExitCode.INTERNAL_ERROR)


def _fixtures(item: pytest.Item) -> set[str]:
    """The fixtures that a test uses; those it requests while it runs are the arguments of its mark `services`."""
    requested = (name for mark in item.iter_markers("services") for name in mark.args)
    return {*getattr(item, "fixturenames", ()), *requested}


def _show_progress(text: str) -> None:
    """Print to the terminal, also from one of several test processes: they share standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Report from one of several test processes to the first which services it used."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["parts"] = session.config.stash[PARTS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect these reports; end the run if this process could not prepare a program."""
    report = getattr(node, "workeroutput", {})
    node.config.stash[PARTS].extend(report.get("parts", ()))
    if "error" in report:
        _end(report["error"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the services this run was proved on."""
    parts = config.stash[PARTS] or ["none were needed"]
    terminalreporter.write_sep("-", "real services")
    for part in parts:
        terminalreporter.write_line(part)


@pytest.fixture(autouse=True)
def network(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[Guard]:
    """Fail a test that reaches further than it may; support.network.Guard has the rule."""
    guard = pytestconfig.stash[GUARD]
    guard.refused()
    guard.loopback = request.node.get_closest_marker("services") is not None
    guard.enabled = True
    yield guard
    guard.enabled = False
    refused = guard.refused()
    if refused:
        pytest.fail(f"the test tried to reach {', '.join(refused)}")


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
