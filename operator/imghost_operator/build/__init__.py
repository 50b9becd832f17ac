"""Pure: what a tenant consists of. No clock, no chance, no network: the same arguments make the same objects."""

from imghost_operator.build.accounts import accounts
from imghost_operator.build.autoscalers import autoscalers
from imghost_operator.build.availability import budgets
from imghost_operator.build.config import configs, public_urls
from imghost_operator.build.meta import MANAGED, TENANT_LABEL, Owner, namespace_of, stamped
from imghost_operator.build.migration import migration
from imghost_operator.build.namespace import namespace
from imghost_operator.build.network import network
from imghost_operator.build.policy import policies
from imghost_operator.build.secrets import secrets
from imghost_operator.build.servers import api, imaging
from imghost_operator.build.services import services
from imghost_operator.crd.spec import Spec
from imghost_operator.facts import Facts
from imghost_operator.platform import Key, Object

__all__ = [
    "KINDS",
    "MANAGED",
    "TENANT_LABEL",
    "WAVES",
    "Owner",
    "desired",
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


def desired(name: str, uid: str, spec: Spec, facts: Facts) -> list[Object]:
    """All objects of the tenant, wave by wave, each stamped with its own hash (see `meta.stamped`)."""
    owner = Owner(name, uid)
    api_config, imaging_config = configs(owner, spec, facts)
    objects = [
        namespace(owner, spec),
        *accounts(owner, facts),
        *policies(owner, spec),
        *network(owner, spec, facts),
        *secrets(owner, facts),
        api_config,
        imaging_config,
        *services(owner),
        migration(owner, spec, facts),
        api(owner, spec, api_config, facts),
        imaging(owner, spec, imaging_config, facts),
        *budgets(owner, spec),
        *autoscalers(owner, spec),
    ]
    return sorted(map(stamped, objects), key=lambda it: (wave_of(it), Key.of(it)))


def wave_of(obj: Object) -> int:
    """The index in `WAVES` of an object's kind."""
    return next(index for index, kinds in enumerate(WAVES) if obj["kind"] in kinds)
