"""Every Kubernetes object of a tenant. Pure: no clock, randomness or I/O, so equal arguments build equal objects."""

from dataclasses import replace

from imghost_operator.build_inputs import BuildInputs
from imghost_operator.built_object import BuiltObject, Requirement
from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.autoscalers import autoscalers
from imghost_operator.tenant_objects.availability import budgets
from imghost_operator.tenant_objects.config import authorities_object, configs, public_urls
from imghost_operator.tenant_objects.meta import MANAGED, TENANT_LABEL, Owner, namespace_of, stamp
from imghost_operator.tenant_objects.migration import migrations
from imghost_operator.tenant_objects.namespace import namespace
from imghost_operator.tenant_objects.network import network
from imghost_operator.tenant_objects.quotas import quotas
from imghost_operator.tenant_objects.secrets import secrets
from imghost_operator.tenant_objects.servers import servers
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
"""Kinds in the order they are applied, those of one wave concurrently; what an object `requires` comes on top."""

KINDS = frozenset().union(*WAVES)
"""Every kind that belongs to a tenant."""


def build(name: str, uid: str, spec: Spec, inputs: BuildInputs) -> list[BuiltObject]:
    """All objects of the tenant, wave by wave, each marked with its own hash (see `meta.stamp`)."""
    owner = Owner(name, uid)
    settings = configs(owner, spec, inputs)
    unconditional = [
        namespace(owner, spec),
        *service_accounts(owner, spec, inputs),
        *quotas(owner, spec),
        *network(owner, spec, inputs),
        *services(owner),
        *budgets(owner, spec),
        *autoscalers(owner, spec),
        *authorities_object(owner, inputs),
    ]
    built = [
        *map(BuiltObject, unconditional),
        # They name the store: pods that restart must not find an endpoint that does not know their access key.
        *(BuiltObject(each, frozenset({Requirement.STORAGE})) for each in settings.values()),
        *secrets(owner, inputs),
        *migrations(owner, spec, inputs),
        *servers(owner, spec, settings, inputs),
    ]
    marked = [replace(item, manifest=stamp(item.manifest)) for item in built]
    return sorted(marked, key=lambda item: (wave_of(item.manifest), item.ref))


def wave_of(obj: Object) -> int:
    """The index in `WAVES` of an object's kind."""
    return next(index for index, kinds in enumerate(WAVES) if obj["kind"] in kinds)
