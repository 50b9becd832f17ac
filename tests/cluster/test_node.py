"""The local node does what a cluster of a platform team would."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from imghost_dev.cluster.existing import ALLOWED, REGISTRY, Existing
from imghost_dev.cluster.kubectl import Kubectl
from imghost_dev.cluster.local.provider import Local
from imghost_dev.cluster.provider import ClusterError, Times
from imghost_dev.images import Image
from support.eventually import eventually
from support.network import Guard

RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def _pod(name: str, image: Image, command: list[str], **container: Any) -> dict[str, Any]:
    main = {"name": "main", "image": image.tag, "command": command, "securityContext": CONTAINER, **container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "web", "labels": {"app": name}},
        "spec": {"securityContext": RESTRICTED, "containers": [main], "terminationGracePeriodSeconds": 0},
    }


@pytest.fixture(scope="module")
def web(kubectl: Kubectl, image: Image) -> str:
    """A web server in a namespace of Pod Security "restricted", and its Service on a port of the node."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    serve = ["python3", "-m", "http.server", "8000", "--directory", "/etc"]
    ready = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}
    kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web", "labels": labels}}])
    kubectl.apply(
        [
            _pod("web", image, serve, readinessProbe=ready),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "namespace": "web"},
                "spec": {
                    "type": "NodePort",
                    "selector": {"app": "web"},
                    "ports": [{"port": 80, "targetPort": 8000, "nodePort": 31000}],
                },
            },
        ]
    )
    kubectl("wait", "--for=condition=Ready", "pod/web", "--namespace=web", "--timeout=60s")
    return "http://web.web.svc/debian_version"


def test_starting_a_running_node_changes_nothing(node: Local, kubectl: Kubectl) -> None:
    """`up` may be called at any time: a second one finds the same node and takes no phase."""
    before = kubectl.get("namespace", "kube-system")["metadata"]["uid"]
    times = Times()
    node.up(times)
    assert times.phases == []
    assert kubectl.get("namespace", "kube-system")["metadata"]["uid"] == before


def test_an_existing_cluster_is_used_when_it_is_allowed(node: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that others made is taken as it is, once its context is named; images need a registry of its own."""
    monkeypatch.setenv("KUBECONFIG", str(node.kubeconfig))
    monkeypatch.setenv(ALLOWED, "imghost-local")
    monkeypatch.delenv(REGISTRY, raising=False)
    existing = Existing()
    existing.up(Times())
    assert existing.address == node.address
    with pytest.raises(ClusterError, match=REGISTRY):
        existing.images(Times())


async def test_pods_reach_services_by_name(kubectl: Kubectl, web: str) -> None:
    """Name server, service addresses and the bridge work together, also back to the pod that asks."""
    script = f"import urllib.request; print(urllib.request.urlopen('{web}', timeout=5).read().decode())"

    def ask() -> str:
        return kubectl("exec", "web", "--namespace=web", "--", "python3", "-c", script).strip()

    assert await eventually(ask, within=20, every=0.5, ignoring=(ClusterError,), why="the pod cannot ask the Service")


async def test_this_machine_reaches_node_ports(node: Local, web: str, network: Guard) -> None:
    """Node ports are open at the node's address, which only this machine knows."""
    network.allowed.add(node.address)

    def fetch() -> bytes:
        with urllib.request.urlopen(f"http://{node.address}:31000/debian_version", timeout=2) as response:
            return bytes(response.read())

    assert await eventually(fetch, within=10, ignoring=(OSError,), why="the node port does not answer")


async def test_autoscalers_get_metrics(kubectl: Kubectl, web: str) -> None:
    """metrics-server knows what pods use."""

    def figures() -> bool:
        return kubectl.succeeds("top", "pods", "--namespace=web")

    assert await eventually(figures, within=60, every=1, why="no figures of the pod")


def test_pod_security_is_enforced(kubectl: Kubectl, web: str, image: Image) -> None:
    """A privileged pod is refused in a restricted namespace."""
    privileged = _pod("privileged", image, ["sh"], securityContext={"privileged": True})
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        kubectl.apply([privileged])


def test_pods_run_under_a_memory_limit(kubectl: Kubectl, web: str, image: Image) -> None:
    """What takes more memory than its limit is killed, and says so."""
    greedy = _pod("greedy", image, ["python3", "-c", "bytearray(10**9)"], resources={"limits": {"memory": "64Mi"}})
    greedy["spec"]["restartPolicy"] = "Never"
    kubectl.apply([greedy])
    kubectl(
        "wait", "--for=jsonpath={.status.phase}=Failed", "pod/greedy", "--namespace=web", "--timeout=60s"
    )  # fmt: skip
    (status,) = kubectl.get("pod", "greedy", "--namespace=web")["status"]["containerStatuses"]
    assert status["state"]["terminated"]["reason"] == "OOMKilled"


def test_what_service_accounts_do_is_recorded(node: Local, kubectl: Kubectl, web: str) -> None:
    """The audit log names who asked for what, which proves that granted rights are used rights."""
    kubectl("create", "serviceaccount", "asker", "--namespace=web")
    token = kubectl("create", "token", "asker", "--namespace=web").strip()
    server = [f"--server=https://{node.address}:6443", f"--certificate-authority={node.layout.pki / 'ca.crt'}"]
    with pytest.raises(ClusterError, match="forbidden"):
        Kubectl(Path("/dev/null"))("get", "secrets", "--namespace=web", f"--token={token}", *server)
    lines = (node.layout.log / "audit.log").read_text().splitlines()
    asked = [event for event in map(json.loads, lines) if event["user"]["username"].endswith(":web:asker")]
    objects = [
        (event["verb"], event["objectRef"]["resource"]) for event in asked if "objectRef" in event
    ]  # or discovery
    assert objects == [("list", "secrets")]
