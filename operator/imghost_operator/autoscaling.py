"""Who sets the number of pods of a Deployment: the operator, or its HorizontalPodAutoscaler. Pure.

A Deployment with an autoscaler is applied without `replicas`; an annotation has the number that it starts with. A field
that its only manager stops sending is reset to its default, one pod. So a second manager of ours applies the number in
the interim, until the autoscaler writes its own ("Transferring ownership" in Kubernetes' text on server-side apply).
"""

from collections.abc import Mapping
from typing import Any

from imghost_operator.crd.workloads import Workload
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import START_ANNOTATION

HOLDER = "imghost-operator-handover"
"""The field manager that owns `replicas` in the interim between us and the autoscaler."""


def is_handed_over(deployment: Mapping[str, Any]) -> bool:
    """Whether an autoscaler sets the number of pods."""
    return START_ANNOTATION in (deployment["metadata"].get("annotations") or {})


def initial(desired: Object) -> Object:
    """A new Deployment: with `replicas`, which is the autoscaler's minimum."""
    annotations = dict(desired["metadata"]["annotations"])
    replicas = int(annotations.pop(START_ANNOTATION))
    metadata = {**desired["metadata"], "annotations": annotations}
    return {**desired, "metadata": metadata, "spec": {**desired["spec"], "replicas": replicas}}


def hold(desired: Object, live: Object) -> Object:
    """What the interim manager applies before we stop sending `replicas`: the current number, or the initial one."""
    start = int(desired["metadata"]["annotations"][START_ANNOTATION])
    return {**release(live), "spec": {"replicas": max(live["spec"]["replicas"], start)}}


def release(live: Object) -> Object:
    """What the interim manager applies after we send `replicas` again: no field."""
    metadata = {key: live["metadata"][key] for key in ("name", "namespace", "uid")}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}


def pods_asked(workload: Workload, live: Mapping[str, Any] | None) -> int:
    """How many pods there should be now: what the spec says or, of an autoscaled Deployment, its autoscaler."""
    if workload.autoscaler is None:
        return workload.replicas
    fewest = workload.autoscaler.min_replicas
    return int(live["spec"].get("replicas", fewest)) if live else fewest
