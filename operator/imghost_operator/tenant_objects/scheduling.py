"""Where pods run, as the spec asks for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from imghost_operator.crd.scheduling import Scheduling


def place(scheduling: Scheduling | None, selector: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a pod's spec that say where it runs, and nothing that is not set.

    Terms about pods without a selector are about those of the same workload, which `selector` finds: Kubernetes would
    select none.
    """
    if scheduling is None:
        return {}
    # What is empty is left out, as the server does it; else it would differ from what is stored.
    fields = scheduling.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for term in _pod_terms(fields):
        term.setdefault("labelSelector", {"matchLabels": dict(selector)})
    return fields


def _pod_terms(fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from fields.get("topologySpreadConstraints", ())
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = fields.get("affinity", {}).get(kind, {})
        yield from rules.get("requiredDuringSchedulingIgnoredDuringExecution", ())
        for preferred in rules.get("preferredDuringSchedulingIgnoredDuringExecution", ()):
            yield preferred["podAffinityTerm"]
