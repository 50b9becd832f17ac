"""Conditions about what somebody else has to do: enforce policies, and decide how many pods there are."""

from imghost_operator.crd import ConditionType
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.reconcile_state import ConditionResult, ReconcileState
from imghost_operator.tenant_objects.namespace import ENFORCED

_STATEMENTS = {
    "HorizontalPodAutoscaler",
    "LimitRange",
    "Namespace",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ResourceQuota",
}
"""Kinds that only mean something where the platform enforces them; of the namespace that is Pod Security."""


def enforced(state: ReconcileState) -> ConditionResult:
    """Whether policies, quotas and Pod Security hold here."""
    built = {obj["kind"] for obj in state.desired} & _STATEMENTS
    if not built:
        return ConditionResult("Enforced", "Unknown", "Waiting", "nothing was made yet")
    if (outside := _others_namespace(state)) and not ENFORCED.items() <= _labels(outside).items():
        name, (label, level) = outside["metadata"]["name"], *ENFORCED.items()
        text = f"the namespace {name} takes any pod; have whoever makes it add the label {label}={level}"
        return ConditionResult("Enforced", "False", "PodSecurityNotEnforced", text)
    loose = sorted("Pod Security" if kind == "Namespace" else kind for kind in built - state.enforces)
    if loose:
        return ConditionResult(
            "Enforced", "False", "NotEnforcedHere", f"recorded, but not enforced here: {', '.join(loose)}"
        )
    return ConditionResult("Enforced", "True", "Enforced", "policies and quotas are the platform's to enforce")


def autoscaled(state: ReconcileState) -> ConditionResult:
    """Whether autoscalers can do their work; one without metrics leaves the number of pods as it is."""
    kind: ConditionType = "Autoscaled"
    keys = [ObjectRef.of(obj) for obj in state.desired if obj["kind"] == "HorizontalPodAutoscaler"]
    if not keys:
        return ConditionResult(
            kind, "False", "NotAskedFor", "the numbers of pods are those of spec.api and spec.imaging"
        )
    if "HorizontalPodAutoscaler" not in state.enforces:
        return ConditionResult(
            kind, "False", "NotEnforcedHere", "recorded, but not enforced here: minReplicas pods each"
        )
    said = {key.name: state.live.get(key, {}).get("status", {}).get("conditions", ()) for key in keys}
    for name, conditions in said.items():
        for it in conditions:
            if it["type"] in {"AbleToScale", "ScalingActive"} and it["status"] == "False":
                text = f"{name} keeps its number of pods: {it.get('message', '')}"
                return ConditionResult(kind, "False", it.get("reason") or "NotActive", text)
    if waiting := [name for name, conditions in said.items() if not conditions]:
        return ConditionResult(kind, "Unknown", "Waiting", f"no autoscaler has looked at {' and '.join(waiting)} yet")
    return ConditionResult(
        kind, "True", "Autoscaled", f"the load decides how many pods there are of {' and '.join(said)}"
    )


def _others_namespace(state: ReconcileState) -> Object | None:
    """The tenant's namespace where somebody else makes it."""
    ours = {ObjectRef.of(obj) for obj in state.desired}
    return next((obj for key, obj in state.live.items() if key.kind == "Namespace" and key not in ours), None)


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}
