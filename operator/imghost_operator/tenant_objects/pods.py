"""The common parts of every pod: no privileges, its own settings, a small writable /tmp."""

from collections.abc import Mapping
from typing import Any

from imghost_operator.build_inputs import BuildInputs
from imghost_operator.crd.references import EnvVar
from imghost_operator.crd.spec import Spec
from imghost_operator.crd.workloads import Amounts, Workload
from imghost_operator.platform import Object
from imghost_operator.tenant_contract import CA_FOLDER, HTTP_PORT, OPS_PORT, SERVICES
from imghost_operator.tenant_objects import secrets
from imghost_operator.tenant_objects.config import AUTHORITIES, FOLLOWS_SCALE, authorities
from imghost_operator.tenant_objects.meta import CHECKSUM_ANNOTATION, Component, Owner, digest
from imghost_operator.tenant_objects.volumes import mounts

PRE_STOP_SECONDS = 5
_CA = "authorities"
_USER = 65532  # "nonroot" of common base images
_POD_SECURITY = {
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_USER_IDS = dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), _USER)
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}


def container(component: Component, command: list[str], image: str, inputs: BuildInputs) -> dict[str, Any]:
    """The one container of a pod, before probes and resources."""
    return {
        "name": component,
        "image": image,
        "imagePullPolicy": inputs.release.pull_policy,
        "command": command,
        "envFrom": [{"secretRef": {"name": name}} for name in secrets.OF[component]],
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
            *([{"name": _CA, "mountPath": CA_FOLDER, "readOnly": True}] if authorities(inputs) else []),
        ],
    }


def pod(component: Component, main: dict[str, Any], tmp_size: str, inputs: BuildInputs) -> dict[str, Any]:
    """A pod's spec around its container."""
    return {
        "serviceAccountName": component,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _POD_SECURITY if inputs.cluster.assigns_user_ids else _POD_SECURITY | _USER_IDS,
        "initContainers": [],
        "containers": [main],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": tmp_size}},
            *([{"name": _CA, "configMap": {"name": AUTHORITIES}}] if authorities(inputs) else []),
        ],
    }


def server_container(
    component: Component, workload: Workload, image: str, inputs: BuildInputs, command: list[str]
) -> dict[str, Any]:
    """A container that keeps running: ConfigMap, own address, ports, probes; one with a Service stops after a pause."""
    main = container(component, command, workload.image or image, inputs)
    main["envFrom"] = [{"configMapRef": {"name": component}}, *main["envFrom"]]
    serves = component in SERVICES
    ports = {"http": HTTP_PORT, "ops": OPS_PORT} if serves else {"ops": OPS_PORT}
    return main | {
        "env": environment(workload),
        "volumeMounts": [*main["volumeMounts"], *mounts(workload)],
        "ports": [{"name": name, "containerPort": number, "protocol": "TCP"} for name, number in ports.items()],
        "resources": resources(workload),
        "startupProbe": _probe("/livez", period=1, failures=60),
        "livenessProbe": _probe("/livez", period=10, failures=3),
        "readinessProbe": _probe("/readyz", period=5, failures=2),
        # Traffic still arrives for a moment after a pod starts to end: keep serving it.
        **({"lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}}} if serves else {}),
    }


def environment(workload: Workload) -> list[dict[str, Any]]:
    """The pod's own address to listen on, then the tenant's variables, which cannot have names of ours."""
    host = {"name": "HOST", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}
    return [host, *map(_variable, workload.env)]


def _variable(given: EnvVar) -> dict[str, Any]:
    """A variable without what is empty, as the server stores it."""
    fields = given.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in fields.items() if value != ""}


def resources(workload: Workload) -> dict[str, dict[str, str]]:
    """Requests and limits, without what is not set."""
    return {"requests": _amounts(workload.resources.requests), "limits": _amounts(workload.resources.limits)}


def template_metadata(
    owner: Owner, component: Component, spec: Spec, config: Object, inputs: BuildInputs
) -> dict[str, Mapping[str, str]]:
    """Labels and annotations of pods; the checksum rolls them when a setting or a secret changes."""
    values = secrets.values_of(inputs)
    settings = {name: value for name, value in config["data"].items() if name not in FOLLOWS_SCALE}
    read = [settings, *(values[name] for name in secrets.OF[component])]
    checksum = digest([*read, trusted] if (trusted := authorities(inputs)) else read)
    return {
        "labels": {**spec.pod_metadata.labels, **owner.labels(component)},
        "annotations": {**spec.pod_metadata.annotations, CHECKSUM_ANNOTATION: checksum},
    }


def _amounts(amounts: Amounts) -> dict[str, str]:
    return amounts.model_dump(exclude_none=True)


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "ops", "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }
