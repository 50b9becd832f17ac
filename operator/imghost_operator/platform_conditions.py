"""Conditions about the platform: enforcement of policies, autoscaling, and other installations."""

from imghost_operator.crd import ConditionType
from imghost_operator.platform import Object
from imghost_operator.reasons import Reason
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
"""Kinds that only have an effect where the platform enforces them; for the namespace that is Pod Security."""


def enforced(state: ReconcileState) -> ConditionResult:
    """Whether policies, quotas and Pod Security are enforced."""
    kind: ConditionType = "Enforced"
    built = {item.kind for item in state.desired} & _STATEMENTS
    if not built:
        return ConditionResult(kind, "Unknown", Reason.WAITING, "no object was created yet")
    if (outside := _others_namespace(state)) and not ENFORCED.items() <= _labels(outside).items():
        name, (label, level) = outside["metadata"]["name"], *ENFORCED.items()
        text = f"the namespace {name} does not enforce Pod Security; ask its owner to add the label {label}={level}"
        return ConditionResult(kind, "False", Reason.POD_SECURITY_NOT_ENFORCED, text)
    loose = sorted("Pod Security" if item == "Namespace" else item for item in built - state.enforces)
    if loose:
        text = f"stored, but not enforced on this platform: {', '.join(loose)}"
        return ConditionResult(kind, "False", Reason.NOT_ENFORCED_HERE, text)
    return ConditionResult(kind, "True", Reason.ENFORCED, "the platform enforces policies and quotas")


def autoscaled(state: ReconcileState) -> ConditionResult:
    """Whether autoscalers are active; one without metrics leaves the number of pods as it is."""
    kind: ConditionType = "Autoscaled"
    refs = [built.ref for built in state.desired if built.kind == "HorizontalPodAutoscaler"]
    if not refs:
        return ConditionResult(kind, "False", Reason.NOT_REQUESTED, "the spec sets the numbers of pods")
    if "HorizontalPodAutoscaler" not in state.enforces:
        text = "autoscaling is not supported on this platform; minReplicas pods run"
        return ConditionResult(kind, "False", Reason.NOT_ENFORCED_HERE, text)
    reported = {ref.name: state.live.get(ref, {}).get("status", {}).get("conditions", ()) for ref in refs}
    for name, conditions in reported.items():
        for condition in conditions:
            if condition["type"] in {"AbleToScale", "ScalingActive"} and condition["status"] == "False":
                why = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
                text = f"{name} keeps its number of pods ({why or condition['type']})"
                return ConditionResult(kind, "False", Reason.AUTOSCALER_INACTIVE, text)
    if waiting := [name for name, conditions in reported.items() if not conditions]:
        text = f"the autoscaler of {' and '.join(waiting)} has not reported yet"
        return ConditionResult(kind, "Unknown", Reason.WAITING, text)
    return ConditionResult(kind, "True", Reason.AUTOSCALED, f"autoscaling is active for {' and '.join(reported)}")


def sole_installation(state: ReconcileState) -> ConditionResult:
    """Whether no other installation waits for the same tenants; replicas of one installation are none."""
    kind: ConditionType = "SoleInstallation"
    if state.standing_by:
        text = (
            f"{', '.join(state.standing_by)}: another installation of the same operatorClass stands by and changes "
            "nothing; uninstall one of the two, or give it another operatorClass"
        )
        return ConditionResult(kind, "False", Reason.SECOND_INSTALLATION, text)
    return ConditionResult(
        kind, "True", Reason.SOLE_INSTALLATION, "one installation of the operator manages the tenant"
    )


def _others_namespace(state: ReconcileState) -> Object | None:
    """The tenant's namespace where the operator does not create it."""
    ours = {built.ref for built in state.desired}
    return next((obj for ref, obj in state.live.items() if ref.kind == "Namespace" and ref not in ours), None)


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}
