"""Where pods run: Kubernetes' own fields, bounded, and without those that reach beyond the tenant.

Left out: `matchFields`, which names single nodes, and `namespaces` and `namespaceSelector` of pod affinity, with which
one tenant could keep all other pods of the cluster away from a zone.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from imghost_operator.crd.base import Part
from imghost_operator.crd.types import KEY, LABEL_VALUE, LABELS, Subdomain, rules

_ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
_INT32: dict[str, Any] = {"format": "int32"}

LabelKey = Annotated[str, Field(min_length=1, max_length=253, pattern=KEY)]
LabelValue = Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)]
Labels = Mapping[Annotated[str, Field(max_length=317)], LabelValue]


_VALUES = (
    "!(self.operator in (has(self.values) && self.values.size() > 0 ? ['Exists', 'DoesNotExist'] : ['In', 'NotIn']))",
    "In and NotIn need values, Exists and DoesNotExist have none; add or remove values",
)
_ARE_NUMBERS = "self.values.map(each, each.matches('^[0-9]{1,9}$'))"
_ONE_NUMBER = (
    f"!(self.operator in ['Gt', 'Lt']) || has(self.values) && {_ARE_NUMBERS} == [true]",
    "Gt and Lt need exactly one value, a whole number",
)


class LabelRequirement(Part):
    """A condition on one label of pods."""

    model_config = ConfigDict(json_schema_extra=rules(_VALUES))

    key: LabelKey = Field(description="Key of the label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How it is compared.")
    values: tuple[LabelValue, ...] = Field((), max_length=20, description="Values.", json_schema_extra=_SET)


class NodeRequirement(Part):
    """A condition on one label of nodes."""

    model_config = ConfigDict(json_schema_extra=rules(_VALUES, _ONE_NUMBER))

    key: LabelKey = Field(description="Key of the label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(description="How it is compared.")
    values: tuple[LabelValue, ...] = Field((), max_length=20, description="Values.", json_schema_extra=_SET)


class LabelSelector(Part):
    """Pods of the tenant's namespace; an empty one selects all."""

    match_labels: Labels = Field({}, max_length=10, description="Labels.", json_schema_extra=LABELS)
    match_expressions: tuple[LabelRequirement, ...] = Field(
        (), max_length=10, description="Conditions, all of which hold.", json_schema_extra=_ATOMIC
    )


class NodeTerm(Part):
    """Nodes for which all conditions hold."""

    match_expressions: tuple[NodeRequirement, ...] = Field(
        min_length=1, max_length=10, description="Conditions, all of which hold.", json_schema_extra=_ATOMIC
    )


def _preferred(kind: str) -> Any:
    return Field((), max_length=10, description=f"{kind} that are preferred, by weight.", json_schema_extra=_ATOMIC)


def _weight() -> Any:
    return Field(ge=1, le=100, description="Weight, 1 to 100.", json_schema_extra=_INT32)


class PreferredNodes(Part):
    """Nodes that are preferred."""

    weight: int = _weight()
    preference: NodeTerm = Field(description="Nodes.")


class RequiredNodes(Part):
    """Nodes that pods may run on."""

    node_selector_terms: tuple[NodeTerm, ...] = Field(
        min_length=1, max_length=10, description="Terms, one of which holds.", json_schema_extra=_ATOMIC
    )


class NodeAffinity(Part):
    """Which nodes pods run on."""

    required_during_scheduling_ignored_during_execution: RequiredNodes | None = Field(None, description="Must hold.")
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredNodes, ...] = _preferred("Nodes")


class PodTerm(Part):
    """Pods of the tenant's namespace, and what counts as the same place."""

    topology_key: LabelKey = Field(description="Label of nodes: those with the same value are one place.")
    label_selector: LabelSelector | None = Field(None, description="Which pods. Default: those of the same workload.")
    match_label_keys: tuple[LabelKey, ...] = Field(
        (), max_length=5, description="Labels of which pods have the same value too.", json_schema_extra=_SET
    )


class PreferredPods(Part):
    """Pods whose places are preferred, or avoided."""

    weight: int = _weight()
    pod_affinity_term: PodTerm = Field(description="Pods and places.")


class PodAffinity(Part):
    """Near which pods, or away from which, pods run."""

    required_during_scheduling_ignored_during_execution: tuple[PodTerm, ...] = Field(
        (), max_length=10, description="Must hold.", json_schema_extra=_ATOMIC
    )
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredPods, ...] = _preferred("Places")


class Affinity(Part):
    """Affinity of pods."""

    node_affinity: NodeAffinity | None = Field(None, description="Which nodes pods run on.")
    pod_affinity: PodAffinity | None = Field(None, description="Near which pods they run.")
    pod_anti_affinity: PodAffinity | None = Field(None, description="Away from which pods they run.")


class Toleration(Part):
    """A taint of nodes that pods tolerate."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!(has(self.operator) && self.operator == 'Exists' && has(self.value))",
                "the operator Exists has no value; remove value",
            ),
            (
                "!has(self.tolerationSeconds) || has(self.effect) && self.effect == 'NoExecute'",
                "tolerationSeconds needs the effect NoExecute",
            ),
        )
    )

    key: LabelKey = Field(
        description="Key of the taint.",
        json_schema_extra=rules(
            (
                "!self.startsWith('node-role.kubernetes.io/')",
                "is a taint of nodes where tenants do not run, such as the control plane; use a key of your own",
            )
        ),
    )
    operator: Literal["Exists", "Equal"] | None = Field(None, description="Equal, unless Exists is given.")
    value: LabelValue | None = Field(None, min_length=1, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint. Default: every effect."
    )
    toleration_seconds: int | None = Field(
        None,
        ge=0,
        le=1_000_000_000,
        description="How many seconds pods stay on a node with the taint.",
        json_schema_extra={"format": "int64"},
    )


class Spread(Part):
    """How evenly pods are spread."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
                "minDomains needs whenUnsatisfiable DoNotSchedule",
            )
        )
    )

    max_skew: int = Field(
        ge=1, le=1_000, description="How many pods more one place may have than another.", json_schema_extra=_INT32
    )
    topology_key: LabelKey = Field(description="Label of nodes: those with the same value are one place.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(description="What happens otherwise.")
    label_selector: LabelSelector | None = Field(
        None, description="Which pods are counted. Default: those of the same workload."
    )
    min_domains: int | None = Field(None, ge=1, le=1_000, description="The fewest places.", json_schema_extra=_INT32)
    node_affinity_policy: Literal["Honor", "Ignore"] | None = Field(
        None, description="Whether nodes that affinity excludes count. Default: Honor."
    )
    node_taints_policy: Literal["Honor", "Ignore"] | None = Field(
        None, description="Whether taints of nodes count. Default: Ignore."
    )
    match_label_keys: tuple[LabelKey, ...] = Field(
        (), max_length=5, description="Labels of which pods have the same value too.", json_schema_extra=_SET
    )


class Scheduling(Part):
    """Where pods run."""

    node_selector: Labels = Field(
        {}, max_length=20, description="Labels of the nodes that pods run on.", json_schema_extra=LABELS
    )
    tolerations: tuple[Toleration, ...] = Field(
        (), max_length=20, description="Taints of nodes that pods tolerate.", json_schema_extra=_ATOMIC
    )
    affinity: Affinity | None = Field(
        None, description="Nodes that pods need or prefer, and pods of the tenant that they are near or away from."
    )
    topology_spread_constraints: tuple[Spread, ...] | None = Field(
        None,
        max_length=10,
        description="How pods are spread. Default: over nodes and zones where possible; an empty list: not at all.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["topologyKey", "whenUnsatisfiable"],
        },
    )
    priority_class_name: Subdomain | None = Field(
        None,
        description="PriorityClass of the pods, which must exist.",
        json_schema_extra=rules(
            ("!self.startsWith('system-')", "is for parts of the cluster itself; make a PriorityClass for tenants")
        ),
    )
