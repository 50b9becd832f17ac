"""The Deployments of api and imaging: the same shape, rolled without ever having fewer pods than asked for."""

from typing import Any, Literal

from imghost_operator import quantity
from imghost_operator.build_inputs import BuildInputs
from imghost_operator.crd.spec import Spec, Workload
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.config import DRAIN_SECONDS, PARALLEL_UPLOADS
from imghost_operator.tenant_objects.meta import START_ANNOTATION, Owner
from imghost_operator.tenant_objects.pods import pod, server_container, template_metadata

API_COMMAND = ["python", "-m", "imghost_api", "server"]
IMAGING_COMMAND = ["python", "-m", "imghost_imaging"]
_PRE_STOP_SECONDS = 5
_SLACK_SECONDS = 5
_SPREAD_OVER = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
_MEBIBYTE = 1024**2
_SPARE_MEBIBYTES = 64


def api(owner: Owner, spec: Spec, config: Object, inputs: BuildInputs) -> Object:
    """The api; uploads pass through its /tmp."""
    spool = PARALLEL_UPLOADS * quantity.whole(spec.imaging.limits.max_input_bytes)
    main = server_container(
        "api", spec.api, inputs.release.api_image, inputs, ["python", "-m", "imghost_api", "server"]
    )
    template = {
        "metadata": template_metadata(owner, "api", spec, config, inputs),
        "spec": pod("api", main, quantity.canonical(f"{spool // _MEBIBYTE + _SPARE_MEBIBYTES}Mi")),
    }
    return _deployment(owner, "api", spec.api, template)


def imaging(owner: Owner, spec: Spec, config: Object, inputs: BuildInputs) -> Object:
    """Imaging; its /tmp holds what a decoder spills."""
    main = server_container("imaging", spec.imaging, inputs.release.imaging_image, inputs, IMAGING_COMMAND)
    template = {
        "metadata": template_metadata(owner, "imaging", spec, config, inputs),
        "spec": pod("imaging", main, "512Mi"),
    }
    return _deployment(owner, "imaging", spec.imaging, template)


def _deployment(
    owner: Owner, component: Literal["api", "imaging"], workload: Workload, template: dict[str, Any]
) -> Object:
    selector = {"matchLabels": owner.selector(component)}
    template["spec"] |= {
        "terminationGracePeriodSeconds": _PRE_STOP_SECONDS + DRAIN_SECONDS + _SLACK_SECONDS,
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
            for key in _SPREAD_OVER
        ],
    }
    scaler = workload.autoscaler
    body = {
        **({} if scaler else {"replicas": workload.replicas}),
        # A Service's clients hear of a new pod up to a second late (kube-proxy's minSyncPeriod): until they do, it is
        # neither a reason to take an old one away nor to call the tenant Ready.
        "minReadySeconds": 2,
        "revisionHistoryLimit": 3,
        "progressDeadlineSeconds": 300,
        "selector": selector,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        "template": template,
    }
    made = owner.build_object("apps/v1", "Deployment", component, {"spec": body}, component=component)
    if scaler:
        made["metadata"]["annotations"] = {START_ANNOTATION: str(scaler.min_replicas)}
    return made
