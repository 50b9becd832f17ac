"""How much the namespace may use: ResourceQuota and LimitRange."""

from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import Owner


def quotas(owner: Owner, spec: Spec) -> list[Object]:
    """The quota of the tenant and the defaults for containers without requests or limits."""
    return [_quota(owner, spec), _limit_range(owner)]


def _quota(owner: Owner, spec: Spec) -> Object:
    compute = spec.quota.compute
    hard = {
        "requests.cpu": compute.cpu,
        "requests.memory": compute.memory,
        "limits.memory": compute.memory,
        "pods": str(compute.pods),
        # Ways out of the namespace that cost money or pass the network policies.
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        "persistentvolumeclaims": "0",
    }
    return owner.build_object("v1", "ResourceQuota", "compute", {"spec": {"hard": hard}})


def _limit_range(owner: Owner) -> Object:
    limit = {
        "type": "Container",
        "default": {"memory": "256Mi"},
        "defaultRequest": {"cpu": "50m", "memory": "64Mi"},
    }
    return owner.build_object("v1", "LimitRange", "defaults", {"spec": {"limits": [limit]}})
