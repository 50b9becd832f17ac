"""Every Kubernetes object of a tenant. Pure: no clock, randomness or I/O, so equal arguments build equal objects."""

from imghost_operator.build_inputs import BuildInputs
from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.tenant_objects.autoscalers import autoscalers
from imghost_operator.tenant_objects.availability import budgets
from imghost_operator.tenant_objects.config import configs, public_urls
from imghost_operator.tenant_objects.meta import MANAGED, TENANT_LABEL, Owner, namespace_of, stamped
from imghost_operator.tenant_objects.migration import migration
from imghost_operator.tenant_objects.namespace import namespace
from imghost_operator.tenant_objects.network import network
from imghost_operator.tenant_objects.quotas import quotas
from imghost_operator.tenant_objects.secrets import secrets
from imghost_operator.tenant_objects.servers import api, imaging
from imghost_operator.tenant_objects.service_accounts import service_accounts
from imghost_operator.tenant_objects.services import services

__all__ = [
    "KINDS",
    "MANAGED",
    "TENANT_LABEL",
    "WAVES",
    "Owner",
    "build",
    "namespace_of",
    "public_urls",
    "wave_of",
]

WAVES: tuple[frozenset[str], ...] = (
    frozenset({"Namespace"}),
    frozenset({"ServiceAccount", "ResourceQuota", "LimitRange", "NetworkPolicy"}),
    frozenset({"Secret", "ConfigMap", "Service"}),
    frozenset({"Job"}),
    frozenset({"Deployment"}),
    frozenset({"PodDisruptionBudget", "HorizontalPodAutoscaler"}),
)
"""Kinds in the order they are applied; those of one wave at once. What follows the Job waits until it has succeeded."""

KINDS = frozenset().union(*WAVES)
"""Every kind that belongs to a tenant."""


def build(name: str, uid: str, spec: Spec, inputs: BuildInputs) -> list[Object]:
    """All objects of the tenant, wave by wave, each stamped with its own hash (see `meta.stamped`)."""
    owner = Owner(name, uid)
    api_config, imaging_config = configs(owner, spec, inputs)
    objects = [
        namespace(owner, spec),
        *service_accounts(owner, inputs),
        *quotas(owner, spec),
        *network(owner, spec, inputs),
        *secrets(owner, inputs),
        api_config,
        imaging_config,
        *services(owner),
        migration(owner, spec, inputs),
        api(owner, spec, api_config, inputs),
        imaging(owner, spec, imaging_config, inputs),
        *budgets(owner, spec),
        *autoscalers(owner, spec),
    ]
    return sorted(map(stamped, objects), key=lambda it: (wave_of(it), ObjectRef.of(it)))


def wave_of(obj: Object) -> int:
    """The index in `WAVES` of an object's kind."""
    return next(index for index, kinds in enumerate(WAVES) if obj["kind"] in kinds)
