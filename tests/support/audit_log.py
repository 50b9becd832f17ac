"""A control plane that writes down what the operator of the chart asks of it, and the rights of service accounts."""

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from imghost_dev.chart import NAMESPACE, Object
from support.kube import Kube
from support.kubeapi import KubeApi

OPERATOR = f"system:serviceaccount:{NAMESPACE}:imghost-operator"
_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "userGroups": [f"system:serviceaccounts:{NAMESPACE}"]}, {"level": "None"}],
}


class Right(NamedTuple):
    """One thing that RBAC can grant; the namespace is empty for a cluster-scoped one."""

    namespace: str
    group: str
    resource: str
    verb: str


class Request(NamedTuple):
    """What a request needed, and how it was answered."""

    right: Right
    status: int


class AuditedKube(Kube):
    """A control plane with an audit log of the operator, and with the stricter rule about owners of others' objects."""

    def _prepare_apiserver(self) -> Sequence[str]:
        policy = self._folder / "audit-policy.json"
        policy.write_text(json.dumps(_POLICY))
        self._audit = self._folder / "audit.log"
        return [
            *super()._prepare_apiserver(),
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self._audit}",
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
            "--allow-privileged",  # as in usual clusters; else the server refuses it before policies do
        ]

    def count_requests(self, account: str = "imghost-operator") -> Counter[Request]:
        """Every request of an operator up to now; server-side apply that made an object needed `create` as well."""
        user = f"system:serviceaccount:{NAMESPACE}:{account}"
        found: Counter[Request] = Counter()
        lines = self._audit.read_text().splitlines() if self._audit.exists() else []
        for event in map(json.loads, lines):
            if not (at := event.get("objectRef")) or "resource" not in at or event["user"]["username"] != user:
                continue  # discovery, or another client
            resource = "/".join(part for part in (at["resource"], at.get("subresource")) if part)
            namespace = "" if resource == "namespaces" else at.get("namespace", "")
            right = Right(namespace, at.get("apiGroup", ""), resource, event["verb"])
            status = event["responseStatus"]["code"]
            found[Request(right, status)] += 1
            if (event["verb"], status) == ("patch", 201):
                found[Request(right._replace(verb="create"), status)] += 1
        return found

    @cached_property
    def api(self) -> KubeApi:
        """One connection as administrator, where a kubectl each would take too long."""
        return KubeApi(self)

    def items(self, version: str, plural: str, namespace: str) -> list[Object]:
        """The objects of a kind in a namespace."""
        return list(self.api.request("GET", _path(version, plural, namespace)).body.get("items", ()))

    def find(self, version: str, plural: str, namespace: str, name: str) -> Object | None:
        """One object, if there is one."""
        response = self.api.request("GET", f"{_path(version, plural, namespace)}/{name}")
        return response.body if response.status == HTTPStatus.OK else None

    def get(self, version: str, plural: str, namespace: str, name: str) -> Object:
        """One object, which must be there."""
        found = self.find(version, plural, namespace, name)
        assert found is not None, f"there is no {name} among the {plural} of {namespace}"
        return found

    def stop(self) -> None:
        """End it, and the connection to it."""
        self.api.close()
        super().stop()

    def make_pod(self, namespace: str, deployment: str) -> str:
        """What the Deployment controller makes, one pod, which no node ever runs. Returns its name."""
        live = json.loads(self.kubectl("get", "deployment", deployment, f"--namespace={namespace}", "--output=json"))
        template = live["spec"]["template"]
        pod = {**template, "apiVersion": "v1", "kind": "Pod"}
        pod["metadata"] = {**template["metadata"], "name": f"{deployment}-played", "namespace": namespace}
        self.kubectl("create", "-f", "-", input=json.dumps(pod))
        return f"{deployment}-played"


def _path(version: str, plural: str, namespace: str) -> str:
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


class Credentials:
    """Tokens of service accounts, by the API that the kubelet asks for them."""

    def __init__(self, cluster: AuditedKube, folder: Path) -> None:
        self._cluster, self._folder = cluster, folder

    def folder(self, account: str) -> Path:
        """A folder with `token` and `ca.crt`."""
        folder = self._folder / account
        folder.mkdir(exist_ok=True)
        token = self._cluster.kubectl("create", "token", account, f"--namespace={NAMESPACE}")
        (folder / "token").write_text(token)
        (folder / "ca.crt").write_text(self._cluster.ca.read_text())
        return folder

    def kubeconfig(self, account: str) -> Path:
        """A kubeconfig that uses such a folder."""
        folder = self.folder(account)
        here = {"server": self._cluster.server, "certificate-authority": str(folder / "ca.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": here}],
            "users": [{"name": account, "user": {"tokenFile": str(folder / "token")}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": account}}],
            "current-context": "test",
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(config))
        return path
