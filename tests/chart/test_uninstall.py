"""`helm uninstall` with tenants: its pre-delete hook, run here as the kubelet would run it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imghost_dev.chart import NAMESPACE, Helm, Object
from support.audit_log import AuditedKube, Credentials
from support.eventually import eventually
from support.workloads import Workloads

FINALIZER = "imghost.dev/external-data"
HOOK = "imghost-uninstall"
Install = Callable[..., None]
Tenant = Callable[[str], None]
Uninstall = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def tenant(cluster: AuditedKube, install: Install) -> Iterator[Tenant]:
    """Makes a tenant as a running operator would hold it, by its finalizer and one of another controller."""
    made = []

    def make(name: str) -> None:
        metadata = {"name": name, "finalizers": ["example.com/other", FINALIZER]}
        manifest = {"apiVersion": "imghost.dev/v1", "kind": "ImageHostTenant", "metadata": metadata, "spec": {}}
        cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
        made.append(name)

    yield make
    for name in made:
        if cluster.find("imghost.dev/v1", "imagehosttenants", "", name):
            cluster.kubectl("patch", "iht", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
            cluster.kubectl("delete", "iht", name, "--ignore-not-found")


@pytest.fixture
def uninstall(remote: Helm) -> Iterator[Uninstall]:
    """Starts `helm uninstall`, which waits for its hook."""
    started = []

    def start() -> "subprocess.Popen[str]":
        argv = remote.command("uninstall", "imghost")
        started.append(subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.communicate()
    remote.run("uninstall", "imghost", "--no-hooks", "--ignore-not-found")


class Hook:
    """The pod of the hook's Job."""

    def __init__(self, cluster: AuditedKube, credentials: Credentials, folder: Path) -> None:
        self._cluster, self._credentials, self._folder = cluster, credentials, folder
        self._workloads = Workloads(cluster, NAMESPACE)

    async def run(self, patience: float = 20) -> "subprocess.Popen[str]":
        """Wait for the Job and start its command, with the script and the rights that its pod would find."""
        job = await eventually(self._job, within=30, why="Helm made no Job")
        spec = job["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        (mount,) = container["volumeMounts"]
        config = self._cluster.get("v1", "configmaps", NAMESPACE, spec["volumes"][0]["configMap"]["name"])
        for name, text in config["data"].items():
            (self._folder / name).write_text(text)
        interpreter, script = container["command"]
        assert interpreter == "python3"
        here = [
            f"--server={self._cluster.server}",
            f"--credentials={self._credentials.folder(spec['serviceAccountName'])}",
            f"--patience={patience}",
        ]
        argv = [sys.executable, script.replace(mount["mountPath"], str(self._folder)), *container["args"], *here]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self, pod: "subprocess.Popen[str]") -> str:
        """Wait for the command, set the Job's status to how it ended, and return what it printed."""
        output, _ = pod.communicate(timeout=60)
        self._workloads.jobs = "fail" if pod.returncode else "succeed"
        self._workloads.play()
        return output

    def close(self) -> None:
        """End what this holds."""
        self._workloads.close()

    def _job(self) -> Object | None:
        """The Job, once it is there and not that of an earlier try."""
        job = self._cluster.find("batch/v1", "jobs", NAMESPACE, HOOK)
        return job if job and not job.get("status", {}).get("conditions") else None


@pytest.fixture
def hook(cluster: AuditedKube, credentials: Credentials, tmp_path: Path) -> Iterator[Hook]:
    """What stands in for the node; Helm keeps a hook that failed, for people to look at."""
    played = Hook(cluster, credentials, tmp_path)
    yield played
    played.close()
    cluster.kubectl("delete", "job", HOOK, f"--namespace={NAMESPACE}", "--ignore-not-found")


def finalizers(cluster: AuditedKube, name: str) -> list[str]:
    """Those of a tenant."""
    tenant = cluster.get("imghost.dev/v1", "imagehosttenants", "", name)
    return list(tenant["metadata"].get("finalizers", []))


def replicas(cluster: AuditedKube) -> int:
    """How many pods of the operator are asked for."""
    return int(cluster.get("apps/v1", "deployments", NAMESPACE, "imghost-operator")["spec"]["replicas"])


def result(child: "subprocess.Popen[str]") -> tuple[int, str]:
    """How Helm ended, and what it said."""
    output, _ = child.communicate(timeout=60)
    return child.returncode, output


async def test_uninstalling_leaves_no_stuck_finalizer(
    cluster: AuditedKube, install: Install, tenant: Tenant, uninstall: Uninstall, hook: Hook
) -> None:
    """Tenants stay, without our finalizer and with those of others; deleted later, nothing hangs."""
    install()
    tenant("one")
    tenant("two")
    helm = uninstall()
    output = hook.end(await hook.run())
    assert result(helm)[0] == 0
    assert "released 2 tenants" in output
    assert finalizers(cluster, "one") == finalizers(cluster, "two") == ["example.com/other"]
    for kind in ("deployment", "job", "serviceaccount", "role", "configmap"):
        left = cluster.kubectl("get", kind, f"--namespace={NAMESPACE}", "--selector=helm.sh/chart", "--output=name")
        assert left == "", "Helm left something of the release behind"
    for kind in ("clusterrole", "clusterrolebinding", "validatingadmissionpolicy"):
        assert cluster.kubectl("get", kind, "--selector=helm.sh/chart", "--output=name") == ""


async def test_operator_ends_before_finalizers_go(
    cluster: AuditedKube, install: Install, tenant: Tenant, uninstall: Uninstall, hook: Hook
) -> None:
    """A running operator would put its finalizer back, so the hook scales it to zero and waits for its last pod."""
    install()
    tenant("held")
    pod = cluster.make_pod(NAMESPACE, "imghost-operator")
    helm = uninstall()
    running = await hook.run()
    await eventually(lambda: replicas(cluster) == 0, why="the operator is not scaled down")
    assert finalizers(cluster, "held") == ["example.com/other", FINALIZER]
    assert running.poll() is None
    cluster.kubectl("delete", "pod", pod, f"--namespace={NAMESPACE}", "--now")
    assert "released 1 tenants" in hook.end(running)
    assert result(helm)[0] == 0
    assert finalizers(cluster, "held") == ["example.com/other"]


async def test_uninstalling_can_be_refused_while_there_are_tenants(
    remote: Helm, cluster: AuditedKube, install: Install, tenant: Tenant, uninstall: Uninstall, hook: Hook
) -> None:
    """With uninstall.tenants=Refuse nothing changes, the reason names the tenants, and its advice can be followed."""
    install("--set=uninstall.tenants=Refuse")
    tenant("kept")
    helm = uninstall()
    output = hook.end(await hook.run())
    assert "there are tenants: kept. Delete them and uninstall again" in output
    assert result(helm)[0] != 0
    assert finalizers(cluster, "kept") == ["example.com/other", FINALIZER]
    assert replicas(cluster) == 2
    (last,) = json.loads(remote.run("history", "imghost", "--max=1", "--output=json"))
    remote.run("rollback", "imghost", str(last["revision"]))
    install("--set=uninstall.tenants=Release")


async def test_uninstalling_waits_for_tenants_that_are_being_deleted(
    cluster: AuditedKube, install: Install, tenant: Tenant, uninstall: Uninstall, hook: Hook
) -> None:
    """A deletion under way is not cut off, for its data would stay; when it is done, uninstalling goes through."""
    install()
    tenant("leaving")
    cluster.kubectl("delete", "iht", "leaving", "--wait=false")
    helm = uninstall()
    output = hook.end(await hook.run(patience=1))
    assert "these tenants are being deleted: leaving" in output
    assert result(helm)[0] != 0
    assert finalizers(cluster, "leaving") == ["example.com/other", FINALIZER]
    cluster.kubectl("patch", "iht", "leaving", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    helm = uninstall()
    assert "released 0 tenants" in hook.end(await hook.run())
    assert result(helm)[0] == 0


async def test_uninstalling_works_without_the_crd(
    cluster: AuditedKube, install: Install, uninstall: Uninstall, hook: Hook
) -> None:
    """Who deleted the CRD first can still uninstall."""
    install()
    cluster.kubectl("delete", "crd", "imagehosttenants.imghost.dev")
    helm = uninstall()
    assert "released 0 tenants" in hook.end(await hook.run())
    assert result(helm)[0] == 0
