"""PodDisruptionBudgets: a node may be drained, but not at the price of more than one pod of a service at a time."""

from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import Owner

_ENOUGH_TO_SPARE_ONE = 2


def budgets(owner: Owner, spec: Spec) -> list[Object]:
    """One a service that has at least two pods, or may come to have them; over a single pod it could only block."""
    workloads = {"api": spec.api, "imaging": spec.imaging, "worker": spec.worker}
    return [
        _budget(owner, name) for name, workload in workloads.items() if workload.most_replicas >= _ENOUGH_TO_SPARE_ONE
    ]


def _budget(owner: Owner, component: str) -> Object:
    body = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": owner.selector(component)},
        # Pods that do not answer anyway must not keep a node from being drained.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return owner.build_object("policy/v1", "PodDisruptionBudget", component, {"spec": body}, component=component)
