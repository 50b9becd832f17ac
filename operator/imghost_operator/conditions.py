"""What holds for a tenant: one finding a condition, each with a reason and what to do."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from imghost_core.errors import ImghostError
from imghost_operator.autoscaling import pods_asked
from imghost_operator.crd import ConditionType, Spec
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.platform_conditions import autoscaled, enforced
from imghost_operator.reconcile_state import ConditionResult, ReconcileState, Truth
from imghost_operator.tenant_objects.meta import namespace_of

Area = Literal["storage", "database"]
Migration = Literal["missing", "running", "failed", "done"]

_AREAS: tuple[tuple[ConditionType, frozenset[str], str], ...] = (
    ("NamespaceReady", frozenset({"Namespace", "ServiceAccount", "ResourceQuota", "LimitRange"}), "the namespace"),
    ("SecretsReady", frozenset({"Secret", "ConfigMap"}), "secrets and settings"),
    ("NetworkReady", frozenset({"NetworkPolicy", "Service"}), "network policies and services"),
)

_SUMMED_UP: tuple[ConditionType, ...] = (
    "NamespaceReady",
    "StorageReady",
    "DatabaseReady",
    "SecretsReady",
    "NetworkReady",
    "SchemaReady",
    "WorkloadsAvailable",
)


def evaluate_conditions(tenant: Mapping[str, Any], state: ReconcileState) -> list[ConditionResult]:
    """Every condition, the summary first."""
    namespace = namespace_of(tenant["metadata"]["name"])
    servers = [state.live.get(ObjectRef("Deployment", namespace, name)) for name in ("api", "imaging")]
    parts = [
        *(_objects(state, *area) for area in _AREAS),
        _backend(state, "StorageReady", "storage", "the place in the object store"),
        _backend(state, "DatabaseReady", "database", "the database"),
        _schema(state),
        _workloads(state, servers),
    ]
    is_deleting = bool(tenant["metadata"].get("deletionTimestamp"))
    return [
        _ready(parts, state, is_deleting=is_deleting),
        *parts,
        _stopped() if is_paused(tenant) else _progressing(parts, state, servers),
        _paused(tenant),
        _deleting(state, is_deleting=is_deleting),
        enforced(state),
        autoscaled(state),
    ]


def is_paused(tenant: Mapping[str, Any]) -> bool:
    """Whether the operator must leave the tenant alone; being deleted goes before being paused."""
    is_deleting = tenant["metadata"].get("deletionTimestamp")
    return not is_deleting and bool((tenant.get("spec") or {}).get("paused"))


def migration_state(job: Object | None) -> Migration:
    """How far the migration Job is."""
    if job is None:
        return "missing"
    conditions = _true_conditions(job)
    if conditions & {"Complete", "SuccessCriteriaMet"}:
        return "done"
    return "failed" if conditions & {"Failed", "FailureTarget"} else "running"


def workload(deployment: Object | None, desired: int) -> dict[str, int]:
    """Pods of a Deployment: asked for, there, ready, of the latest template."""
    status = (deployment or {}).get("status", {})
    return {
        "desired": desired,
        "current": status.get("replicas", 0),
        "ready": status.get("readyReplicas", 0),
        "updated": status.get("updatedReplicas", 0) if _is_fresh(deployment) else 0,
    }


def reason_of(error: ImghostError) -> str:
    """The error's code as a condition's reason: `backend_down` → `BackendDown`."""
    return "".join(word.capitalize() for word in error.code.split("_"))


def _objects(state: ReconcileState, kind: ConditionType, kinds: frozenset[str], what: str) -> ConditionResult:
    if problem := _problem_of(state, kinds):
        return ConditionResult(kind, "False", reason_of(problem), problem.detail)
    keys = [ObjectRef.of(obj) for obj in state.desired if obj["kind"] in kinds]
    missing = [key for key in keys if key not in state.live]
    if not keys or len(missing) == len(keys):
        return ConditionResult(kind, "Unknown", "Waiting", f"nothing of {what} was made yet")
    if missing:
        return ConditionResult(
            kind, "False", "Applying", f"{len(missing)} of {len(keys)} objects of {what} are still missing"
        )
    return ConditionResult(kind, "True", "Applied", f"{what}: all as asked for")


def _backend(state: ReconcileState, kind: ConditionType, area: Area, what: str) -> ConditionResult:
    if problem := state.problems.get(area):
        return ConditionResult(kind, "False", reason_of(problem), problem.detail)
    if state.inputs is None:
        return ConditionResult(kind, "Unknown", "Waiting", f"{what} was not made yet")
    return ConditionResult(kind, "True", "Provisioned", f"{what} is there, with credentials of its own")


def _schema(state: ReconcileState) -> ConditionResult:
    if problem := _problem_of(state, {"Job"}):
        return ConditionResult("SchemaReady", "False", reason_of(problem), problem.detail)
    key = next((ObjectRef.of(obj) for obj in state.desired if obj["kind"] == "Job"), None)
    match migration_state(state.live.get(key) if key else None):
        case "missing":
            return ConditionResult("SchemaReady", "Unknown", "Waiting", "the migration has not started")
        case "running":
            return ConditionResult("SchemaReady", "False", "Migrating", "the migration runs; the roll-out waits for it")
        case "failed":
            text = (
                f"the migration failed, so nothing was rolled out; see the logs of {key.name if key else 'its Job'} "
                "and mend the cause; it is tried again every few minutes, and at once when the Job is deleted"
            )
            return ConditionResult("SchemaReady", "False", "MigrationFailed", text)
        case "done":
            return ConditionResult("SchemaReady", "True", "Migrated", "the database has the schema of this release")


def _workloads(state: ReconcileState, servers: Sequence[Object | None]) -> ConditionResult:
    """True as long as each service has a pod that answers, even while others are missing."""
    kind: ConditionType = "WorkloadsAvailable"
    if problem := _problem_of(state, {"Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler"}):
        return ConditionResult(kind, "False", reason_of(problem), problem.detail)
    if state.spec is None or not any(servers):
        return ConditionResult(kind, "Unknown", "Waiting", "nothing was rolled out yet")
    asked = dict(zip(("api", "imaging"), _asked(state.spec, servers), strict=True))
    if idle := [name for name, replicas in asked.items() if replicas == 0]:
        return ConditionResult(
            kind, "False", "ScaledToZero", f"{' and '.join(idle)}: no pod is asked for; raise replicas"
        )
    available = dict(zip(asked, map(_available, servers), strict=True))
    serves: Truth = "True" if all(available.values()) else "False"
    if refusal := next(_refusals(servers), None):
        return ConditionResult(kind, serves, *refusal)
    text = ", ".join(f"{name}: {available[name]} of {asked[name]} pods available" for name in asked)
    return ConditionResult(kind, serves, "PodsAvailable" if serves == "True" else "WaitingForPods", text)


def _available(server: Object | None) -> int:
    """Pods that have been ready for long enough to be reached through the Service."""
    return int((server or {}).get("status", {}).get("availableReplicas", 0))


def _asked(spec: Spec, servers: Sequence[Object | None]) -> list[int]:
    """How many pods each service should have."""
    return [pods_asked(it, live) for it, live in zip((spec.api, spec.imaging), servers, strict=True)]


def _refusals(servers: Iterable[Object | None]) -> Iterator[tuple[str, str]]:
    """Why a Deployment cannot get on, as (reason, message)."""
    for server in servers:
        name = server["metadata"]["name"] if server else ""
        for condition in (server or {}).get("status", {}).get("conditions", ()):
            text = f"{name}: {condition.get('message', '')}"
            match condition["type"], condition["status"]:
                case "ReplicaFailure", "True" if "exceeded quota" in text:
                    yield "QuotaExceeded", f"{text}; raise spec.quota.compute or ask for fewer or smaller pods"
                case "ReplicaFailure", "True":
                    yield "PodsRefused", text
                case "Progressing", "False":
                    yield "RolloutStuck", f"{text}; see the events and logs of its pods"


def _ready(parts: Sequence[ConditionResult], state: ReconcileState, *, is_deleting: bool) -> ConditionResult:
    if is_deleting:
        return ConditionResult("Ready", "False", "Deleting", "the tenant is being deleted")
    by_type = {part.type: part for part in parts}
    ordered = [by_type[kind] for kind in _SUMMED_UP]
    for part in [it for it in ordered if it.status == "False"]:
        return ConditionResult("Ready", part.status, part.reason, part.message)
    for problem in state.problems.values():
        return ConditionResult("Ready", "False", reason_of(problem), problem.detail)
    for part in [it for it in ordered if it.status == "Unknown"]:
        return ConditionResult("Ready", part.status, part.reason, part.message)
    return ConditionResult("Ready", "True", "Serving", "uploads are accepted and pictures are delivered")


def _progressing(
    parts: Sequence[ConditionResult], state: ReconcileState, servers: Sequence[Object | None]
) -> ConditionResult:
    kind: ConditionType = "Progressing"
    if stuck := next((part for part in parts if part.reason in {"MigrationFailed", "RolloutStuck"}), None):
        return ConditionResult(kind, "False", stuck.reason, stuck.message)
    if problem := next(iter(state.problems.values()), None):
        return ConditionResult(kind, "True", "Retrying", problem.detail)
    if waiting := next((it for it in parts if it.status != "True" and it.reason != "ScaledToZero"), None):
        return ConditionResult(kind, "True", waiting.reason, waiting.message)
    asked = _asked(state.spec, servers) if state.spec else []
    for server, desired in zip(servers, asked, strict=False):
        count = workload(server, desired)
        if server and {count["current"], count["ready"], count["updated"]} != {desired}:
            text = f"{server['metadata']['name']}: {count['updated']} of {desired} pods are up to date"
            return ConditionResult(kind, "True", "RollingOut", text)
    return ConditionResult(kind, "False", "Settled", "everything is as asked for")


def _stopped() -> ConditionResult:
    return ConditionResult("Progressing", "False", "Paused", "nothing is changed until spec.paused is false")


def _paused(tenant: Mapping[str, Any]) -> ConditionResult:
    if is_paused(tenant):
        return ConditionResult("Paused", "True", "PausedBySpec", "nothing is changed until spec.paused is false")
    return ConditionResult("Paused", "False", "NotPaused", "changes are made as they are asked for")


def _deleting(state: ReconcileState, *, is_deleting: bool) -> ConditionResult:
    if not is_deleting:
        return ConditionResult("Deleting", "False", "NotDeleting", "nobody asked to delete the tenant")
    return ConditionResult("Deleting", "True", *(state.deletion or ("Deleting", "the tenant is being deleted")))


def _problem_of(state: ReconcileState, kinds: Iterable[str]) -> ImghostError | None:
    about = ((key, error) for key, error in state.problems.items() if isinstance(key, ObjectRef))
    return next((error for key, error in about if key.kind in kinds), None)


def _true_conditions(obj: Object) -> set[str]:
    return {it["type"] for it in obj.get("status", {}).get("conditions", ()) if it["status"] == "True"}


def _is_fresh(deployment: Object | None) -> bool:
    """Whether the Deployment's status speaks of its present template."""
    if deployment is None:
        return False
    generation = deployment["metadata"].get("generation", 0)
    return bool(deployment.get("status", {}).get("observedGeneration", generation) >= generation)
