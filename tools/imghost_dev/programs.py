"""The programs that tests run against and that no Python package brings: Kubernetes with etcd, MinIO, and for a node
CoreDNS, metrics-server and Helm.

Installed ones are used where the machine has them (`KUBEBUILDER_ASSETS`, `PATH`); others are built from source once
into `~/.cache/imghost/programs` (or below `$XDG_CACHE_HOME`) with the Go toolchain of the machine or of a Python wheel.

`python -m imghost_dev programs` prepares those of `make test`, with the word `node` all of them, and prints which ones
are used.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from imghost_dev.go_build import go, version_numbers
from imghost_dev.program_cache import ProgramMissing, Programs, Say, find_or_build

KUBERNETES_VERSION = "1.35.4"
KUBERNETES_OLDEST = (1, 33)
MINIO_COMMIT = "v0.0.0-20260212201848-7aac2a2c5b7c"
MINIO_RELEASED = "2026-02-12T20:18:48Z"
COREDNS_VERSION = "1.15.0"
METRICS_SERVER_VERSION = "0.9.0"
HELM_VERSION = "4.3.1"

KUBERNETES_COMMANDS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)
ENVTEST_COMMANDS = ("etcd", "kube-apiserver", "kubectl")


def kubernetes(say: Say = print, *, needs: Sequence[str] = ENVTEST_COMMANDS) -> Programs:
    """The user's own Kubernetes programs if all of `needs` are there and new enough, else ours."""
    for origin, folder in _own_folders(needs):
        version = _version(folder / "kube-apiserver")
        if version_numbers(version) >= KUBERNETES_OLDEST:
            return Programs("Kubernetes", version, folder, origin)
        say(f"Kubernetes {version} from {origin} is older than {KUBERNETES_OLDEST}, so it is not used")
    return find_or_build("Kubernetes", KUBERNETES_VERSION, _build_kubernetes, say)


def minio(say: Say = print) -> Programs:
    """The user's own `minio` if it is on PATH, else ours."""
    found = shutil.which("minio")
    if found:
        return Programs("MinIO", _version(Path(found)), Path(found).parent, "PATH")
    return find_or_build("MinIO", MINIO_RELEASED[:10], _build_minio, say)


def coredns(say: Say = print) -> Programs:
    """The cluster's name server; always our build, as it goes into an image without a C library."""
    return find_or_build("CoreDNS", COREDNS_VERSION, _build_coredns, say)


def metrics_server(say: Say = print) -> Programs:
    """The metrics API that autoscalers read; always our build, as `coredns`."""
    return find_or_build("metrics-server", METRICS_SERVER_VERSION, _build_metrics_server, say)


def helm(say: Say = print) -> Programs:
    """The user's own `helm` if it is on PATH, else ours."""
    found = shutil.which("helm")
    if found:
        return Programs("Helm", _version(Path(found), "version", "--short"), Path(found).parent, "PATH")
    return find_or_build("Helm", HELM_VERSION, _build_helm, say)


def _own_folders(needs: Sequence[str]) -> Iterator[tuple[str, Path]]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        missing = [name for name in {*ENVTEST_COMMANDS, *needs} if not (Path(assets) / name).exists()]
        if incomplete := sorted(set(missing) & set(ENVTEST_COMMANDS)):
            raise ProgramMissing(f"KUBEBUILDER_ASSETS={assets} lacks {', '.join(incomplete)}; complete or unset it")
        if not missing:
            yield "KUBEBUILDER_ASSETS", Path(assets)
    folders = {Path(found).parent if (found := shutil.which(name)) else None for name in needs}
    if len(folders) == 1 and (folder := folders.pop()):
        yield "PATH", folder


def _version(program: Path, *ask: str) -> str:
    """The version a program prints when asked: MinIO's release or the number of Kubernetes or Helm."""
    text = subprocess.run([program, *(ask or ["--version"])], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(RELEASE|DEVELOPMENT)\.\S+|\d+\.\d+\.\d+\S*", text)
    return found.group() if found else text.strip()


def _build_kubernetes(folder: Path, say: Say) -> None:
    """All programs of Kubernetes and etcd as one binary, called by its links' names (see kube-programs/main.go)."""
    package = "k8s.io/component-base/version"
    major, minor = version_numbers(KUBERNETES_VERSION)
    stamp = {
        f"{package}.gitVersion": f"v{KUBERNETES_VERSION}",  # kubelet and CRD features depend on it
        f"{package}.gitMajor": str(major),
        f"{package}.gitMinor": str(minor),
        f"{package}.gitTreeState": "clean",
    }
    source = Path(__file__).parent / "kube-programs"
    go(["build", "-o", str(folder / "kube"), "."], stamp, f"Kubernetes {KUBERNETES_VERSION}", say, cwd=source)
    for command in KUBERNETES_COMMANDS:
        (folder / command).symlink_to("kube")


def _build_minio(folder: Path, say: Say) -> None:
    package = "github.com/minio/minio"
    tag = f"DEVELOPMENT.{MINIO_RELEASED.replace(':', '-')}"
    stamp = {f"{package}/cmd.Version": MINIO_RELEASED, f"{package}/cmd.ReleaseTag": tag}
    _install(f"{package}@{MINIO_COMMIT}", stamp, f"MinIO {MINIO_RELEASED[:10]}", folder, say)


def _build_coredns(folder: Path, say: Say) -> None:
    _install(f"github.com/coredns/coredns@v{COREDNS_VERSION}", {}, f"CoreDNS {COREDNS_VERSION}", folder, say)


def _build_metrics_server(folder: Path, say: Say) -> None:
    package = f"sigs.k8s.io/metrics-server/cmd/metrics-server@v{METRICS_SERVER_VERSION}"
    _install(package, {}, f"metrics-server {METRICS_SERVER_VERSION}", folder, say)


def _build_helm(folder: Path, say: Say) -> None:
    module = "helm.sh/helm/v4"
    stamp = {f"{module}/internal/version.version": f"v{HELM_VERSION}"}
    _install(f"{module}/cmd/helm@v{HELM_VERSION}", stamp, f"Helm {HELM_VERSION}", folder, say)


def _install(package: str, stamp: Mapping[str, str], what: str, folder: Path, say: Say) -> None:
    go(["install", package], stamp, what, say, env={"GOBIN": str(folder)})


FOR_TESTS: Sequence[Callable[[], Programs]] = (kubernetes, minio, helm)
FOR_NODE = (partial(kubernetes, needs=KUBERNETES_COMMANDS), minio, helm, coredns, metrics_server)


def main(arguments: Sequence[str]) -> None:
    """Prepare the programs of `make test`, or of a `node`, and print each when it is ready: a build takes minutes."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    for find in FOR_NODE if list(arguments) == ["node"] else FOR_TESTS:
        began = time.monotonic()
        programs = find()
        print(f"{programs} in {programs.folder}, {time.monotonic() - began:.1f} s")  # noqa: T201 - its output
