"""How far a Job or a Deployment is, read from its status. Pure."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from imghost_operator import diff
from imghost_operator.built_object import BuiltObject
from imghost_operator.platform import Object

JobState = Literal["missing", "running", "failed", "done"]


def job_state(job: Mapping[str, Any] | None) -> JobState:
    """How far a Job is."""
    if job is None:
        return "missing"
    conditions = job.get("status", {}).get("conditions", ())
    true = {condition["type"] for condition in conditions if condition["status"] == "True"}
    if true & {"Complete", "SuccessCriteriaMet"}:
        return "done"
    return "failed" if true & {"Failed", "FailureTarget"} else "running"


def migration_state(built: BuiltObject, live: Object | None, completed: Collection[str]) -> JobState:
    """How far a Job is that is remembered when it is complete: its name depends on all it does."""
    return "done" if live is None and built.ref.name in completed else job_state(live)


def is_done(built: BuiltObject, live: Object | None, completed: Collection[str] = ()) -> bool:
    """Whether an object is as built and what it stands for has happened: the Job completed, the rollout finished.

    `completed` names Jobs that were seen complete; such a Job may be deleted.
    """
    if built.kind == "Job":
        return migration_state(built, live, completed) == "done"
    if live is None:
        return False
    return not diff.changed(built.expected, live) and (built.kind != "Deployment" or is_rolled_out(live))


def is_rolled_out(deployment: Mapping[str, Any]) -> bool:
    """Whether all pods of a Deployment are of its current template and available, and no older pod is left."""
    status = deployment.get("status", {})
    total = status.get("replicas", 0)
    return (
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)
        and status.get("updatedReplicas", 0) == status.get("availableReplicas", 0) == total
        and total == deployment["spec"].get("replicas", total)
        and not status.get("terminatingReplicas")  # from Kubernetes 1.35 on; pods that still finish their work
    )


def pod_counts(deployment: Mapping[str, Any] | None, desired: int) -> dict[str, int]:
    """Pods of a Deployment: asked for, existing, ready, and of the latest template."""
    status = (deployment or {}).get("status", {})
    return {
        "desired": desired,
        "current": status.get("replicas", 0),
        "ready": status.get("readyReplicas", 0),
        "updated": status.get("updatedReplicas", 0) if _is_observed(deployment) else 0,
    }


def _is_observed(deployment: Mapping[str, Any] | None) -> bool:
    """Whether the Deployment's status is about its current template."""
    if deployment is None:
        return False
    generation = deployment["metadata"].get("generation", 0)
    return bool(deployment.get("status", {}).get("observedGeneration", generation) >= generation)
