"""Finding and building the programs that tests run against."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imghost_dev import programs
from imghost_dev.program_cache import ProgramMissing, Say

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a PATH on which there is nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache"


def _install(folder: Path, version: str, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\necho '{version}'\n")
        (folder / name).chmod(0o755)


KUBERNETES = ("etcd", "kube-apiserver", "kubectl")


def test_the_users_programs_come_first(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBEBUILDER_ASSETS is taken before PATH, and PATH before anything is built."""
    _install(tmp_path / "bin", "Kubernetes v1.34.1", *KUBERNETES)
    found = programs.kubernetes()
    assert (found.version, found.origin) == ("1.34.1", "PATH")
    _install(tmp_path / "assets", "Kubernetes v1.36.0", *KUBERNETES)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    found = programs.kubernetes()
    assert (str(found), found.path("etcd")) == (
        "Kubernetes 1.36.0 (KUBEBUILDER_ASSETS)",
        tmp_path / "assets" / "etcd",
    )
    with pytest.raises(ProgramMissing, match=r"kubelet is not in .*assets"):
        found.path("kubelet")


def test_our_controllers_replace_those_that_envtest_lacks(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Controllers are no reason to refuse a user's envtest, which has none: then ours are used for these."""
    _install(tmp_path / "assets", "Kubernetes v1.36.0", *KUBERNETES)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    ours = programs.KUBERNETES_COMMANDS
    monkeypatch.setattr(programs, "_build_kubernetes", lambda folder, say: _install(folder, "v1.35.4", *ours))
    assert programs.kubernetes(needs=["kube-controller-manager"]).folder.is_relative_to(cache)


def test_incomplete_assets_are_an_error(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names a folder means it: what it lacks is said, nothing else is used in silence."""
    _install(tmp_path / "assets", "Kubernetes v1.35.0", "kube-apiserver")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    with pytest.raises(ProgramMissing, match="lacks etcd, kubectl; complete or unset it"):
        programs.kubernetes()


def test_programs_that_are_too_old_are_not_used(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old Kubernetes on PATH is passed over, and the reader is informed."""
    _install(tmp_path / "bin", "Kubernetes v1.28.0", *KUBERNETES)
    monkeypatch.setattr(programs, "_build_kubernetes", lambda folder, say: _install(folder, "v1.35.4", *KUBERNETES))
    reported: list[str] = []
    assert programs.kubernetes(reported.append).version == programs.KUBERNETES_VERSION
    assert "1.28.0 from PATH is older" in reported[0]


def test_two_concurrent_builds_are_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits for the first and uses its build; a later run finds it ready."""
    built: list[Path] = []

    def build(folder: Path, say: Say) -> None:
        built.append(folder)
        _install(folder, "RELEASE.2026", "minio")

    monkeypatch.setattr(programs, "_build_minio", build)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: programs.minio(), range(4)))
    assert len(built) == 1
    assert {each.path("minio") for each in found} == {cache / "imghost/programs/minio-2026-02-12/minio"}
    assert [each.origin.startswith("built in") for each in found].count(True) == 1


@pytest.fixture
def broken_go(cache: Path, tmp_path: Path) -> Path:
    """A Go on PATH that is new enough and fails to build; returns the log of a build of MinIO."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text('#!/bin/sh\n[ "$1" = env ] && echo go1.99.0 && exit\necho "no such module" >&2\nexit 1\n')
    go.chmod(0o755)
    return cache / "imghost" / "programs" / "minio-2026-02-12.log"


def test_a_failed_build_leaves_only_its_log(broken_go: Path) -> None:
    """The error is one line: the program, the command, the log with the compiler's output, and what to do."""
    with pytest.raises(ProgramMissing) as caught:
        programs.minio()
    message = str(caught.value)
    assert message.startswith("building MinIO 2026-02-12 failed: `go install github.com/minio/minio@")
    assert f"ended with status 1, see {broken_go}." in message
    assert "put it on PATH" in message
    assert len(message.splitlines()) == 1
    assert broken_go.read_text() == "no such module\n"
    assert {path.name for path in broken_go.parent.iterdir()} == {broken_go.name, "minio-2026-02-12.lock"}


@pytest.mark.services  # whole test runs: too slow for `make unit`
@pytest.mark.parametrize("processes", [0, 1])
def test_a_failed_build_ends_a_test_run_with_one_line(broken_go: Path, processes: int) -> None:
    """A run whose tests need the program reports the failed build without a traceback, also from a process of xdist."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"-n{processes}"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(
        [*command, "tests/core/test_stores.py"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    output = run.stdout + run.stderr
    assert run.returncode == pytest.ExitCode.INTERNAL_ERROR, output
    assert output.count("building MinIO 2026-02-12 failed") == 1
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output


def test_the_version_is_read_from_the_program(cache: Path, tmp_path: Path) -> None:
    """MinIO's release name is found in what the program on PATH prints."""
    _install(tmp_path / "bin", "minio version RELEASE.2026-01-02T03-04-05Z (commit-id=abc)", "minio")
    assert programs.minio().version == "RELEASE.2026-01-02T03-04-05Z"
