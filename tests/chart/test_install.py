"""The chart on a real Kubernetes API."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest
import yaml

from imghost_dev.chart import CHART, INSTALL, NAMESPACE, Helm, Object, one, parse
from imghost_operator import health
from imghost_operator.metrics import Metrics
from support.audit_log import AuditedKube
from support.processes import HOST, free_port

VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))
CRD = "imagehosttenants.imghost.dev"
Install = Callable[..., None]

MONITOR_KIND = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {"kind": "ServiceMonitor", "plural": "servicemonitors"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture(scope="module", autouse=True)
def namespaces(cluster: AuditedKube) -> None:
    """Those that a values file lists."""
    for name in ("imghost-news", "imghost-sport"):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        cluster.kubectl("apply", "-f", "-", input=json.dumps(namespace))  # it may be there: the control plane is shared


@pytest.mark.requirement("000-A6")
@pytest.mark.parametrize("values", [None, *VALUES], ids=lambda path: path.stem if path else "install.yaml")
def test_server_accepts_every_object(cluster: AuditedKube, helm: Helm, values: Path | None) -> None:
    """Every object of every values file passes validation and defaulting by an API server that knows no cloud
    provider's kinds, hooks included.
    """
    text = helm.template(f"--values={values}") if values else INSTALL.read_text()
    cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-", input=text
    )


def pods(objects: list[Object]) -> list[Object]:
    """Every pod that the chart starts, as a Pod of its own."""
    found = []
    for obj in objects:
        template = obj if obj["kind"] == "Pod" else obj.get("spec", {}).get("template")
        if template and "containers" in template["spec"]:
            metadata = {"name": f"{obj['metadata']['name']}-{obj['kind'].lower()}", "namespace": NAMESPACE}
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    return found


def test_pods_are_restricted(cluster: AuditedKube, helm: Helm) -> None:
    """Operator, hook and test run where Pod Security enforces "restricted"; the same pod with more rights does not."""
    started = pods(helm.objects())
    assert len(started) == 3
    for pod in started:
        pod["spec"]["serviceAccountName"] = "default"  # the others are not there yet, and it makes no difference here
        assert cluster.api.create(pod, "dryRun=All").status == HTTPStatus.CREATED
        security = pod["spec"]["containers"][0]["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        security["allowPrivilegeEscalation"] = True
        assert 'violates PodSecurity "restricted' in cluster.api.create(pod, "dryRun=All").body["message"]


def test_only_the_operator_gets_a_token_for_long(helm: Helm) -> None:
    """Pods that do not talk to the API have no token; the hook's exists while the release is uninstalled."""
    with_token = {
        pod["metadata"]["name"] for pod in pods(helm.objects()) if pod["spec"]["automountServiceAccountToken"]
    }
    assert with_token == {"imghost-operator-deployment", "imghost-uninstall-job"}


def test_upgrade_brings_new_fields_of_the_crd(cluster: AuditedKube, install: Install, tmp_path: Path) -> None:
    """Helm never upgrades a chart's crds/ folder; ours is upgraded, or new fields would be dropped silently."""
    older = shutil.copytree(CHART, tmp_path / "imghost")
    file = older / "files" / "crds" / f"{CRD}.yaml"
    crd = yaml.safe_load(file.read_text())
    del crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["displayName"]
    head, _ = file.read_text().split("spec:\n", 1)
    file.write_text(head + yaml.safe_dump({"spec": crd["spec"]}))
    install(chart=older)
    assert "displayName" not in _fields(cluster)
    install()
    assert "displayName" in _fields(cluster)


def _fields(cluster: AuditedKube) -> set[str]:
    crd = json.loads(cluster.kubectl("get", "crd", CRD, "--output=json"))
    return set(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])


def test_second_installation_changes_nothing(cluster: AuditedKube, install: Install) -> None:
    """An upgrade to the same restarts no pod: no object gets another generation."""
    install()
    before = _generations(cluster)
    install()
    assert _generations(cluster) == before


def test_an_upgrade_after_a_rotation_replaces_the_pods(cluster: AuditedKube, install: Install) -> None:
    """The operator's pod template has a checksum of the mounted Secrets as they are, and nothing of what is in them."""
    install()
    before = _generations(cluster)
    secret = ["secret", "generic", "imghost-database", f"--namespace={NAMESPACE}"]
    cluster.kubectl("create", *secret, "--from-literal=url=postgresql://canary@a.test/postgres")
    try:
        install()
        deployment = "Deployment imghost-operator"
        assert _generations(cluster) == before | {deployment: before[deployment] + 1}
        text = cluster.kubectl("get", "deployment", "--output=json", f"--namespace={NAMESPACE}")
        assert "canary" not in text
    finally:
        cluster.kubectl("delete", "secret", "imghost-database", f"--namespace={NAMESPACE}")


def _generations(cluster: AuditedKube) -> dict[str, int]:
    text = cluster.kubectl(
        "get",
        "deployment,networkpolicy,poddisruptionbudget,crd,validatingadmissionpolicy",
        "--output=json",
        f"--namespace={NAMESPACE}",
    )
    return {
        f"{item['kind']} {item['metadata']['name']}": item["metadata"]["generation"]
        for item in json.loads(text)["items"]
    }


def test_the_crd_stays_after_uninstalling(cluster: AuditedKube, install: Install, remote: Helm) -> None:
    """Uninstalling leaves the CRD, so the tenants; installing again takes it up."""
    install()
    remote.run("uninstall", "imghost", "--no-hooks")
    assert cluster.kubectl("get", "crd", CRD, "--output=name")
    install()


def test_service_monitor_is_made_where_its_kind_is(cluster: AuditedKube, install: Install, remote: Helm) -> None:
    """Helm asks the cluster what it knows: with the Prometheus Operator's CRD the monitor appears by itself."""
    cluster.kubectl("apply", "-f", "-", input=json.dumps(MONITOR_KIND))
    cluster.kubectl("wait", "--for=condition=Established", "crd/servicemonitors.monitoring.coreos.com")
    try:
        install()
        assert one(parse(remote.run("get", "manifest", "imghost")), "ServiceMonitor", "imghost-operator")
    finally:
        install("--set=serviceMonitor.enabled=false")  # Helm cannot release an object whose kind was deleted
        cluster.kubectl("delete", "crd", "servicemonitors.monitoring.coreos.com")


async def test_helm_test_asks_the_operator(helm: Helm) -> None:
    """The pod of `helm test` passes on an operator's own probes and metrics, and fails when one of them does."""
    (pod,) = [obj for obj in helm.objects() if obj["kind"] == "Pod"]
    *command, _ = pod["spec"]["containers"][0]["command"]
    problem: list[str] = []
    port = free_port()
    ready = {"caches": lambda: problem[0] if problem else None}
    server = await health.serve(HOST, port, Metrics(), {}, ready)
    try:
        assert await _ends(command, port) == 0
        problem.append("not synced yet")
        assert await _ends(command, port) == 1
    finally:
        await server.cleanup()


async def _ends(command: list[str], port: int) -> int:
    interpreter, *script = command
    assert interpreter == "python3"
    address = f"http://{HOST}:{port}"
    child = await asyncio.create_subprocess_exec(
        sys.executable, *script, address, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    await child.communicate()
    return int(child.returncode or 0)


def test_notes_list_the_next_steps(remote: Helm, install: Install) -> None:
    """After installing one knows which Secrets are missing, how to make a tenant and how to remove everything."""
    install()
    notes = remote.run("get", "notes", "imghost")
    for text in ("imghost-database: entry url", "imghost-store: entries access-key and secret-key", "kubectl wait"):
        assert text in notes
