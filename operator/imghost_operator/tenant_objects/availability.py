"""PodDisruptionBudgets: draining nodes evicts at most one pod of a service at a time."""

from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import Owner

_ENOUGH_TO_SPARE_ONE = 2


def budgets(owner: Owner, spec: Spec) -> list[Object]:
    """One for each service that has, or may get, at least two pods; for a single pod it could only block a drain."""
    workloads = {"api": spec.api, "imaging": spec.imaging, "worker": spec.worker}
    return [
        _budget(owner, name) for name, workload in workloads.items() if workload.most_replicas >= _ENOUGH_TO_SPARE_ONE
    ]


def _budget(owner: Owner, component: str) -> Object:
    body = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": owner.selector(component)},
        # Pods that are not ready must not block a drain.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return owner.build_object("policy/v1", "PodDisruptionBudget", component, {"spec": body}, component=component)
