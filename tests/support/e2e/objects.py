"""The objects of a running cluster, over one connection: fast enough to see when something changes.

`kubectl proxy` carries it on a socket that only we may open, so whatever way a kubeconfig signs in works here too.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from imghost_dev.cluster.kubectl import Kubectl, Object
from imghost_dev.cluster.provider import wait_until

_CORE, _APPS = "/api/v1", "/apis/apps/v1"
PATHS = {
    "ConfigMap": (_CORE, "configmaps"),
    "Deployment": (_APPS, "deployments"),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "ImageHostTenant": ("/apis/imghost.dev/v1", "imagehosttenants"),
    "Job": ("/apis/batch/v1", "jobs"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "Namespace": (_CORE, "namespaces"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "Pod": (_CORE, "pods"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "PodMetrics": ("/apis/metrics.k8s.io/v1beta1", "pods"),
    "ReplicaSet": (_APPS, "replicasets"),
    "ResourceQuota": (_CORE, "resourcequotas"),
    "Secret": (_CORE, "secrets"),
    "Service": (_CORE, "services"),
    "ServiceAccount": (_CORE, "serviceaccounts"),
    "StatefulSet": (_APPS, "statefulsets"),
}
"""Kind → where the API keeps it."""


class Refused(Exception):
    """The API server said no; the text is its message."""


class Objects:
    """Reads and writes objects as an administrator."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """One object, None when there is none."""
        response = self._client.get(_path(kind, namespace, name))
        return None if response.status_code == httpx.codes.NOT_FOUND else _object(response)

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """One object, which must be there."""
        found = self.find(kind, name, namespace)
        assert found is not None, f"there is no {kind} {name} in {namespace or 'the cluster'}"
        return found

    def list(self, kind: str, namespace: str | None = None, labels: str = "") -> "list[Object]":
        """The objects of a namespace, or of the cluster, that a label selector finds."""
        parameters = {"labelSelector": labels} if labels else {}
        items: list[Object] = _object(self._client.get(_path(kind, namespace), params=parameters)).get("items", [])
        return items

    def create(self, obj: Object) -> Object:
        """Make an object; raises Refused."""
        path = _path(obj["kind"], obj["metadata"].get("namespace"))
        return _object(self._client.post(path, json=obj, params={"fieldValidation": "Strict"}))

    def patch(self, kind: str, name: str, body: Any, namespace: str | None = None) -> Object:
        """Change an object by a merge patch, as a person does by `kubectl edit`; raises Refused."""
        headers = {"Content-Type": "application/merge-patch+json"}
        path, who = _path(kind, namespace, name), {"fieldManager": "a-person"}
        return _object(self._client.request("PATCH", path, json=body, params=who, headers=headers))

    def delete(self, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete an object that may be there; what belongs to it goes with it."""
        response = self._client.request(
            "DELETE", _path(kind, namespace, name), json={"propagationPolicy": "Background"}
        )
        if response.status_code != httpx.codes.NOT_FOUND:
            _object(response)

    def evict(self, pod: str, namespace: str) -> bool:
        """Ask for a pod's eviction; False when a disruption budget does not allow it now."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        response = self._client.post(f"{_path('Pod', namespace, pod)}/eviction", json=body)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return False
        _object(response)
        return True


@contextmanager
def connect(kubectl: Kubectl) -> Iterator[Objects]:
    """An administrator's connection, closed at the end."""
    with tempfile.TemporaryDirectory(prefix="imghost-e2e-") as folder:
        path = Path(folder) / "socket"
        proxy = subprocess.Popen(
            [*kubectl.command, "proxy", f"--unix-socket={path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(path.exists, within=10, why=lambda: "kubectl proxy does not listen")
            transport = httpx.HTTPTransport(uds=str(path))
            with httpx.Client(transport=transport, base_url="http://localhost", timeout=30, trust_env=False) as client:
                yield Objects(client)
        finally:
            proxy.terminate()
            proxy.wait()


def _path(kind: str, namespace: str | None, name: str = "") -> str:
    group, plural = PATHS[kind]
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{group}{where}/{plural}/{name}".rstrip("/")


def _object(response: httpx.Response) -> Object:
    body: Object = response.json()
    if response.is_error:
        raise Refused(body.get("message", response.text))
    return body
