"""HorizontalPodAutoscalers: they scale up quickly and down slowly."""

from typing import Any

from imghost_operator.crd.spec import Spec
from imghost_operator.crd.workloads import Autoscaling
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import Owner

_SCALE_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Percent", "value": 100, "periodSeconds": 30},
        {"type": "Pods", "value": 4, "periodSeconds": 30},
    ],
}
# A removed pod loses its caches, and load often returns: wait five minutes, then scale down step by step.
_SCALE_DOWN = {
    "stabilizationWindowSeconds": 300,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Percent", "value": 10, "periodSeconds": 60},
        {"type": "Pods", "value": 1, "periodSeconds": 60},
    ],
}


def autoscalers(owner: Owner, spec: Spec) -> list[Object]:
    """One for each service whose autoscaling is on."""
    workloads = {"api": spec.api.autoscaler, "imaging": spec.imaging.autoscaler, "worker": spec.worker.autoscaler}
    return [_autoscaler(owner, name, asked) for name, asked in workloads.items() if asked]


def _autoscaler(owner: Owner, component: str, asked: Autoscaling) -> Object:
    body: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": component},
        "minReplicas": asked.min_replicas,
        "maxReplicas": asked.max_replicas,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": asked.target_cpu_percent},
                },
            }
        ],
        "behavior": {"scaleUp": _SCALE_UP, "scaleDown": _SCALE_DOWN},
    }
    return owner.build_object(
        "autoscaling/v2", "HorizontalPodAutoscaler", component, {"spec": body}, component=component
    )
