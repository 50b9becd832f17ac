"""The Deployments: api and imaging, which serve, and the worker. A rollout never has fewer pods than desired."""

from collections.abc import Mapping
from typing import Any

from imghost_operator import quantity
from imghost_operator.build_inputs import BuildInputs
from imghost_operator.built_object import BuiltObject, Requirement
from imghost_operator.crd.spec import Spec
from imghost_operator.crd.workloads import Workload
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.config import DRAIN_SECONDS, spool_bytes
from imghost_operator.tenant_objects.meta import START_ANNOTATION, Component, Owner
from imghost_operator.tenant_objects.pods import PRE_STOP_SECONDS, pod, server_container, template_metadata
from imghost_operator.tenant_objects.scheduling import place
from imghost_operator.tenant_objects.volumes import volumes

API_COMMAND = ["python", "-m", "imghost_api", "server"]
WORKER_COMMAND = ["python", "-m", "imghost_api", "worker"]
IMAGING_COMMAND = ["python", "-m", "imghost_imaging"]
_SLACK_SECONDS = 5
_SPREAD_OVER = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
_MEBIBYTE = 1024**2
_SPARE_MEBIBYTES = 64
_REQUIRES = frozenset({Requirement.DATABASE, Requirement.STORAGE, Requirement.EXPANDED_SCHEMA})


def servers(owner: Owner, spec: Spec, configs: Mapping[Component, Object], inputs: BuildInputs) -> list[BuiltObject]:
    """All Deployments. They wait for what their pods need to start."""
    release = inputs.release
    upload_space = quantity.canonical(f"{spool_bytes(spec) // _MEBIBYTE + _SPARE_MEBIBYTES}Mi")
    parts: list[tuple[Component, Workload, str, list[str], str]] = [
        ("api", spec.api, release.api_image, API_COMMAND, upload_space),
        ("worker", spec.worker, release.api_image, WORKER_COMMAND, f"{_SPARE_MEBIBYTES}Mi"),
        ("imaging", spec.imaging, release.imaging_image, IMAGING_COMMAND, "512Mi"),  # decoders write large images there
    ]
    made = []
    for component, workload, image, command, tmp_size in parts:
        main = server_container(component, workload, image, inputs, command)
        template = {
            "metadata": template_metadata(owner, component, spec, configs[component], inputs),
            "spec": _pod(owner, component, spec, workload, pod(component, main, tmp_size, inputs)),
        }
        deployment = _deployment(owner, component, workload, template)
        made.append(BuiltObject(deployment, _REQUIRES, Requirement.ROLLOUT))
    return made


def _pod(owner: Owner, component: Component, spec: Spec, workload: Workload, common: dict[str, Any]) -> dict[str, Any]:
    """The common parts of a pod with those of a server: spread over nodes and zones unless the spec says else."""
    own = owner.selector(component)
    return {
        **common,
        "volumes": [*common["volumes"], *volumes(workload)],
        "terminationGracePeriodSeconds": PRE_STOP_SECONDS + DRAIN_SECONDS + _SLACK_SECONDS,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": own},
            }
            for key in _SPREAD_OVER
        ],
        **place(workload.scheduling or spec.scheduling, own),
    }


def _deployment(owner: Owner, component: Component, workload: Workload, template: dict[str, Any]) -> Object:
    scaler = workload.autoscaler
    body = {
        **({} if scaler else {"replicas": workload.replicas}),
        # Clients of a Service reach a new pod up to a second late (kube-proxy's minSyncPeriod): until then it is
        # neither a reason to take an old one away nor to call the tenant Ready.
        "minReadySeconds": 2,
        "revisionHistoryLimit": 3,
        "progressDeadlineSeconds": 300,
        "selector": {"matchLabels": owner.selector(component)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        "template": template,
    }
    made = owner.build_object("apps/v1", "Deployment", component, {"spec": body}, component=component)
    if scaler:
        made["metadata"]["annotations"] = {START_ANNOTATION: str(scaler.min_replicas)}
    return made
