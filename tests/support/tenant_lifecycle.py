"""One tenant from its creation to its deletion, by an operator process with exactly the rights of the chart."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from imghost_dev.chart import ROOT, Object
from imghost_operator import tenant_objects
from imghost_operator.api_resources import RESOURCES
from support.audit_log import AuditedKube, Credentials
from support.eventually import eventually
from support.operators import condition
from support.processes import HOST, Process, free_port
from support.workloads import Workloads


class TenantLifecycle:
    """Creates, changes and deletes one tenant while an operator runs with the environment and rights of the chart."""

    def __init__(self, cluster: AuditedKube, folder: Path, deployment: Object, tenant: str) -> None:
        self._cluster, self._folder, self._name = cluster, folder, tenant
        self._namespace = tenant_objects.namespace_of(tenant)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        given = {
            variable["name"]: variable["value"].replace("/etc/imghost", str(folder))
            for variable in container["env"]
            if "value" in variable
        }
        in_a_pod = {"IMGHOST_HOST": HOST, "IMGHOST_OPS_PORT": str(free_port()), "IMGHOST_IDENTITY": "lifecycle-test"}
        self._command = [Path(sys.executable).with_name(container["command"][0]), *container["command"][1:]]
        account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
        kubeconfig = Credentials(cluster, folder).kubeconfig(account)
        self._env = {**given, **in_a_pod, "KUBECONFIG": str(kubeconfig)}

    async def run(self) -> None:
        """Apply the sample, wait until it is ready, add an unused object of every kind, change the tenant so that
        all of it is rolled out again, and delete it.
        """
        operator = Process(self._command, self._folder / "operator.log", env=self._env)
        workloads = Workloads(self._cluster, self._namespace)
        try:
            manifest = yaml.safe_load((ROOT / "manifests" / "samples" / "production.yaml").read_text())
            manifest["metadata"]["name"] = self._name
            manifest["spec"]["deletionPolicy"] = "Delete"  # needs more rights than Retain
            self._cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
            await eventually(partial(self._check_ready, workloads), within=60, why="the tenant is not ready")
            strays = self._plant_strays()
            await eventually(lambda: not self._present(strays), within=30, why="unused objects are not deleted")
            await self._change(workloads)
            self._cluster.kubectl("delete", "iht", self._name, "--wait=false")
            await eventually(lambda: self._tenant() is None, within=60, why="the tenant is not deleted")
        finally:
            workloads.close()
            operator.stop()

    async def _change(self, workloads: Workloads) -> None:
        """Edit the spec: other images, so new migrations, and no autoscaling. Then remove a label by hand."""
        images = {part: f"imghost-{part}:another" for part in ("api", "imaging")}
        off = {"autoscaling": {"enabled": False, "maxReplicas": 4}, "replicas": 1}
        spec = {part: {"image": image, **off} for part, image in images.items()}
        spec["api"]["env"] = [{"name": "LOG_LEVEL", "value": "debug"}]
        spec["network"] = {"egressTo": [{"cidr": "0.0.0.0/0", "port": 4318}]}
        self._cluster.kubectl("patch", "iht", self._name, "--type=merge", f"--patch={json.dumps({'spec': spec})}")
        await eventually(
            partial(self._check_rolled_out, workloads, images), within=60, why="the change is not rolled out"
        )
        where = ("service", "api", f"--namespace={self._namespace}")
        self._cluster.kubectl("label", *where, "imghost.dev/tenant-")
        await eventually(
            lambda: "imghost.dev/tenant" in self._labels("api"), within=30, why="the label is not restored"
        )

    def _check_rolled_out(self, workloads: Workloads, images: dict[str, str]) -> None:
        self._check_ready(workloads)
        assert self._images() >= set(images.values())

    def _images(self) -> set[str]:
        found = self._cluster.items("apps/v1", "deployments", self._namespace)
        return {each["image"] for obj in found for each in obj["spec"]["template"]["spec"]["containers"]}

    def _labels(self, service: str) -> dict[str, str]:
        found: dict[str, str] = self._cluster.get("v1", "services", self._namespace, service)["metadata"]["labels"]
        return found

    def _check_ready(self, workloads: Workloads) -> None:
        workloads.play()
        ready = condition(self._tenant() or {}, "Ready")
        assert ready.get("status") == "True", ready

    def _tenant(self) -> Object | None:
        return self._cluster.find("imghost.dev/v1", "imagehosttenants", "", self._name)

    def _plant_strays(self) -> list[Object]:
        """Create an object of each kind that carries the labels of the tenant and that its spec does not need."""
        strays = []
        for kind in sorted(tenant_objects.KINDS - {"Namespace"}):
            version, plural, _ = RESOURCES[kind]
            original = self._cluster.items(version, plural, self._namespace)[0]
            stray = {**_copy(original), "apiVersion": version, "kind": kind}
            response = self._cluster.api.create(stray)
            assert response.status == 201, response.body
            strays.append(stray)
        return strays

    def _present(self, objects: list[Object]) -> list[str]:
        found = []
        for obj in objects:
            version, plural, _ = RESOURCES[obj["kind"]]
            if self._cluster.find(version, plural, self._namespace, obj["metadata"]["name"]):
                found.append(obj["kind"])
        return found


def _copy(original: Object) -> Object:
    """The same object under another name, without what only the server writes."""
    keep = ("labels", "annotations", "namespace", "ownerReferences")
    metadata = {key: original["metadata"][key] for key in keep if key in original["metadata"]}
    copy: dict[str, Any] = json.loads(json.dumps({**original, "metadata": {**metadata, "name": "stray"}}))
    copy.pop("status", None)
    spec = copy.get("spec", {})
    for key in ("clusterIP", "clusterIPs"):
        spec.pop(key, None)
    if "backoffLimit" in spec:  # a Job's selector and the label for it
        spec.pop("selector")
        spec["template"]["metadata"].pop("labels")
        metadata["labels"] = {k: v for k, v in copy["metadata"]["labels"].items() if "controller-uid" not in k}
        copy["metadata"]["labels"] = metadata["labels"]
    return copy
