"""What a reconcile pass saw of a tenant, made up for tests of conditions and status."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from imghost_operator import status, tenant_objects
from imghost_operator.built_object import Requirement
from imghost_operator.crd import Spec
from imghost_operator.errors import BackendDown
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.provision import credentials
from imghost_operator.provision.recovery import Recovered
from imghost_operator.reconcile_state import ReconcileState
from support.tenants import ENFORCED, UID, inputs, spec_of, tenant

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=7)
NAMESPACE = "imghost-demo"
COPY = ObjectRef("Secret", "imghost-system", "imghost-recovery-demo")
COMPLETE = [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]


Down = BackendDown


def server(desired: Object, **numbers: Any) -> Object:
    """A Deployment as a cluster with running pods has it."""
    replicas = desired["spec"].get("replicas", 2)
    counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "updatedReplicas"), replicas)
    live = copy.deepcopy(desired)
    live["metadata"]["generation"] = 1
    return {**live, "status": counts | {"observedGeneration": 1} | numbers}


def observed(
    *,
    job: list[Object] | None = COMPLETE,
    post: list[Object] | None = COMPLETE,
    api: dict[str, Any] | None = None,
    worker: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
) -> ReconcileState:
    """Everything there and well, but for what is said: conditions of the Jobs, numbers of a Deployment's status."""
    desired = tenant_objects.build("demo", UID, spec_of(**(spec or {})), inputs())
    numbers = {"api": api or {}, "worker": worker or {}}
    live = {}
    for built in desired:
        live[built.ref] = built.manifest
        if built.kind == "Deployment":
            live[built.ref] = server(built.manifest, **numbers.get(built.ref.name, {}))
        if built.kind == "Job":
            conditions = job if built.provides is Requirement.EXPANDED_SCHEMA else post
            live[built.ref] = {**built.manifest, "status": {"conditions": conditions or []}}
    return ReconcileState(
        enforces=ENFORCED,
        spec=Spec.model_validate(tenant(**(spec or {}))["spec"]),
        inputs=inputs(),
        desired=desired,
        live=live,
        recovered=Recovered(credentials.to_credentials(dict.fromkeys(credentials.ENTRIES, "canary")), COPY),
    )


def conditions(report: Object) -> dict[str, Object]:
    return {condition["type"]: condition for condition in report["conditions"]}


def summary(found: ReconcileState, **spec: Any) -> dict[str, tuple[str, str]]:
    """Condition → status and reason."""
    report = status.report(tenant(**spec), found, NOW)
    return {kind: (condition["status"], condition["reason"]) for kind, condition in conditions(report).items()}


def without(found: ReconcileState, *kinds: str) -> ReconcileState:
    return replace(found, live={key: obj for key, obj in found.live.items() if key.kind not in kinds})
