"""What a reconcile pass saw of a tenant, made up for tests of conditions and status."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from imghost_core.errors import Unavailable
from imghost_operator import status
from imghost_operator.crd import Spec
from imghost_operator.platform import Object
from imghost_operator.reconcile_state import ReconcileState
from support.tenants import ENFORCED, inputs, objects, tenant

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=7)
NAMESPACE = "imghost-demo"
COMPLETE = [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]


class Down(Unavailable):
    """A backend that does not answer."""

    code = "backend_down"


def server(desired: Object, **numbers: Any) -> Object:
    """A Deployment as a cluster with running pods has it."""
    replicas = desired["spec"].get("replicas", 2)
    counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "updatedReplicas"), replicas)
    live = copy.deepcopy(desired)
    live["metadata"]["generation"] = 1
    return {**live, "status": counts | {"observedGeneration": 1} | numbers}


def observed(
    *, job: list[Object] | None = COMPLETE, api: dict[str, Any] | None = None, spec: dict[str, Any] | None = None
) -> ReconcileState:
    """Everything there and well, but for what is said."""
    made = objects(**(spec or {}))
    live = dict(made)
    for key, obj in made.items():
        if key.kind == "Deployment":
            live[key] = server(obj, **((api or {}) if key.name == "api" else {}))
        if key.kind == "Job":
            live[key] = {**obj, "status": {"conditions": job or []}}
    return ReconcileState(
        enforces=ENFORCED,
        spec=Spec.model_validate(tenant(**(spec or {}))["spec"]),
        inputs=inputs(),
        desired=list(made.values()),
        live=live,
    )


def conditions(report: Object) -> dict[str, Object]:
    return {it["type"]: it for it in report["conditions"]}


def summary(found: ReconcileState, **spec: Any) -> dict[str, tuple[str, str]]:
    """Condition → status and reason."""
    report = status.report(tenant(**spec), found, NOW)
    return {kind: (it["status"], it["reason"]) for kind, it in conditions(report).items()}


def without(found: ReconcileState, *kinds: str) -> ReconcileState:
    return replace(found, live={key: obj for key, obj in found.live.items() if key.kind not in kinds})
