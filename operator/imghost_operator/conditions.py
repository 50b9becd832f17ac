"""Every condition of a tenant, each with a reason and a message that says what to do. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from imghost_operator import quota_room
from imghost_operator.autoscaling import pods_asked
from imghost_operator.built_object import BuiltObject, Requirement
from imghost_operator.crd import ConditionType, Spec
from imghost_operator.crd.workloads import Workload
from imghost_operator.errors import Problem
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.platform_conditions import autoscaled, enforced, sole_installation
from imghost_operator.progress import JobState, migration_state, pod_counts
from imghost_operator.reasons import Reason
from imghost_operator.reconcile_state import Area, ConditionResult, ReconcileState, Truth
from imghost_operator.tenant_objects.meta import namespace_of

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
"""The conditions that uploads and delivery depend on, in the order in which Ready reports them."""

_BLOCKED = {Reason.MIGRATION_FAILED, Reason.POST_MIGRATION_FAILED, Reason.ROLLOUT_STUCK}
_PAUSED_TEXT = "nothing is changed until spec.paused is false"
SERVERS, WORKER = ("api", "imaging"), "worker"


def workloads(spec: Spec) -> dict[str, Workload]:
    """The part of the spec that each Deployment is built from."""
    return {"api": spec.api, "worker": spec.worker, "imaging": spec.imaging}


def evaluate_conditions(tenant: Mapping[str, Any], state: ReconcileState) -> list[ConditionResult]:
    """Every condition, the summary first."""
    deployments = _deployments(tenant, state)
    parts = [
        *(_objects(state, *area) for area in _AREAS),
        _credentials(state),
        _backend(state, "StorageReady", "storage", "storage prefix and access keys"),
        _backend(state, "DatabaseReady", "database", "database and roles"),
        _schema(state),
        _pods(state, "WorkloadsAvailable", {name: deployments[name] for name in SERVERS}),
        _pods(state, "WorkerAvailable", {WORKER: deployments[WORKER]}),
    ]
    contracted = _contracted(state)
    is_deleting = bool(tenant["metadata"].get("deletionTimestamp"))
    return [
        _ready(parts, state, is_deleting=is_deleting),
        *parts,
        contracted,
        _stopped() if is_paused(tenant) else _progressing(parts, contracted, state, deployments),
        _paused(tenant),
        _deleting(state, is_deleting=is_deleting),
        enforced(state),
        autoscaled(state),
        sole_installation(state),
    ]


def is_paused(tenant: Mapping[str, Any]) -> bool:
    """Whether the operator must not change the tenant; a deletion takes precedence."""
    is_deleting = tenant["metadata"].get("deletionTimestamp")
    return not is_deleting and bool((tenant.get("spec") or {}).get("paused"))


def _deployments(tenant: Mapping[str, Any], state: ReconcileState) -> dict[str, Object | None]:
    namespace = namespace_of(tenant["metadata"]["name"])
    return {name: state.live.get(ObjectRef("Deployment", namespace, name)) for name in (*SERVERS, WORKER)}


def _objects(state: ReconcileState, kind: ConditionType, kinds: frozenset[str], what: str) -> ConditionResult:
    if problem := _problem_of(state, kinds):
        return ConditionResult(kind, "False", problem.reason, problem.detail)
    refs = [built.ref for built in state.desired if built.kind in kinds]
    missing = [ref for ref in refs if ref not in state.live]
    if not refs or len(missing) == len(refs):
        return ConditionResult(kind, "Unknown", Reason.WAITING, f"no object of {what} was created yet")
    if missing:
        text = f"{len(missing)} of {len(refs)} objects of {what} are still missing"
        return ConditionResult(kind, "False", Reason.APPLYING, text)
    return ConditionResult(kind, "True", Reason.APPLIED, f"{what}: all objects are as the spec asks for")


def _backend(state: ReconcileState, kind: ConditionType, area: Area, what: str) -> ConditionResult:
    if problem := state.problems.get(area):
        return ConditionResult(kind, "False", problem.reason, problem.detail)
    if state.inputs is None:
        return ConditionResult(kind, "Unknown", Reason.WAITING, f"{what} are not provisioned yet")
    return ConditionResult(kind, "True", Reason.PROVISIONED, f"{what} are provisioned")


def _credentials(state: ReconcileState) -> ConditionResult:
    """The second copy of what cannot be made again."""
    kind: ConditionType = "CredentialsStored"
    if problem := state.problems.get("credentials"):
        return ConditionResult(kind, "False", problem.reason, problem.detail)
    if state.recovered is None:
        return ConditionResult(kind, "Unknown", Reason.WAITING, "no credentials were made yet")
    where = f"{state.recovered.ref.namespace}/{state.recovered.ref.name}"
    if restored := state.recovered.last_restored:
        text = f"a copy of all credentials is in the Secret {where}; last restored from it: {restored}"
        return ConditionResult(kind, "True", Reason.CREDENTIALS_RESTORED, text)
    return ConditionResult(kind, "True", Reason.STORED, f"a copy of all credentials is in the Secret {where}")


def _schema(state: ReconcileState) -> ConditionResult:
    """The pre migration; the rollout waits for it."""
    if problem := _problem_of(state, {"Job"}):
        return ConditionResult("SchemaReady", "False", problem.reason, problem.detail)
    job = _provider(state, Requirement.EXPANDED_SCHEMA)
    match _migration(state, job):
        case "missing":
            return ConditionResult("SchemaReady", "Unknown", Reason.WAITING, "the migration has not started")
        case "running" if job and (why := _no_room(state, job)):
            return ConditionResult("SchemaReady", "False", Reason.QUOTA_EXCEEDED, f"the migration cannot start. {why}")
        case "running":
            text = "the migration is running; the rollout waits for it"
            return ConditionResult("SchemaReady", "False", Reason.MIGRATING, text)
        case "failed":
            text = f"the migration failed, so nothing was rolled out; {_see_logs(job)}"
            return ConditionResult("SchemaReady", "False", Reason.MIGRATION_FAILED, text)
        case "done":
            text = "the database has the schema of this release"
            return ConditionResult("SchemaReady", "True", Reason.MIGRATED, text)


def _contracted(state: ReconcileState) -> ConditionResult:
    """The post migration. Serving does not depend on it."""
    kind: ConditionType = "SchemaContracted"
    job = _provider(state, Requirement.CONTRACTED_SCHEMA)
    if job is None:
        return ConditionResult(kind, "Unknown", Reason.WAITING, "the post migration has not started")
    match _migration(state, job):
        case "missing":
            text = "the post migration starts when every pod belongs to this release"
            return ConditionResult(kind, "False", Reason.WAITING_FOR_ROLLOUT, text)
        case "running" if why := _no_room(state, job):
            return ConditionResult(kind, "False", Reason.QUOTA_EXCEEDED, f"the post migration cannot start. {why}")
        case "running":
            return ConditionResult(kind, "False", Reason.MIGRATING, "the post migration is running")
        case "failed":
            text = f"the post migration failed; the release serves without it; {_see_logs(job)}"
            return ConditionResult(kind, "False", Reason.POST_MIGRATION_FAILED, text)
        case "done":
            text = "the schema has nothing that only older releases need"
            return ConditionResult(kind, "True", Reason.MIGRATED, text)


def _migration(state: ReconcileState, job: BuiltObject | None) -> JobState:
    return migration_state(job, state.live.get(job.ref), state.migrated) if job else "missing"


def _no_room(state: ReconcileState, job: BuiltObject) -> str | None:
    """Why a Job that has no pod gets none."""
    live = state.live[job.ref]
    return None if live.get("status", {}).get("active") else quota_room.shortage(live["spec"]["template"], state.live)


def _see_logs(job: BuiltObject | None) -> str:
    return (
        f"see the logs of the Job {job.ref.name if job else ''} and fix the cause; "
        "it is tried again every few minutes, or immediately when the Job is deleted"
    )


def _pods(state: ReconcileState, kind: ConditionType, deployments: Mapping[str, Object | None]) -> ConditionResult:
    """True as long as each Deployment has an available pod, even while others are missing."""
    kinds = {"Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler"}
    if problem := _problem_of(state, kinds, deployments):
        return ConditionResult(kind, "False", problem.reason, problem.detail)
    if state.spec is None or not any(deployments.values()):
        return ConditionResult(kind, "Unknown", Reason.WAITING, "nothing was rolled out yet")
    asked = _asked(state.spec, deployments)
    if idle := [name for name, replicas in asked.items() if replicas == 0]:
        text = f"{' and '.join(idle)}: scaled to zero; raise replicas"
        return ConditionResult(kind, "False", Reason.SCALED_TO_ZERO, text)
    available = {name: _available(deployment) for name, deployment in deployments.items()}
    holds: Truth = "True" if all(available.values()) else "False"
    if refusal := next(_refusals(deployments.values()), None):
        return ConditionResult(kind, holds, *refusal)
    text = ", ".join(f"{name}: {available[name]} of {asked[name]} pods available" for name in asked)
    return ConditionResult(kind, holds, Reason.PODS_AVAILABLE if holds == "True" else Reason.WAITING_FOR_PODS, text)


def _available(deployment: Object | None) -> int:
    """Pods that have been ready for long enough to be reached through the Service."""
    return int((deployment or {}).get("status", {}).get("availableReplicas", 0))


def _asked(spec: Spec, deployments: Mapping[str, Object | None]) -> dict[str, int]:
    """How many pods each Deployment should have."""
    return {name: pods_asked(workloads(spec)[name], live) for name, live in deployments.items()}


def _refusals(deployments: Iterable[Object | None]) -> Iterator[tuple[Reason, str]]:
    """Why a Deployment does not progress, as (reason, message)."""
    for deployment in deployments:
        name = deployment["metadata"]["name"] if deployment else ""
        for condition in (deployment or {}).get("status", {}).get("conditions", ()):
            text = f"{name}: {condition.get('message', '')}"
            match condition["type"], condition["status"]:
                case "ReplicaFailure", "True" if why := quota_room.explain(condition.get("message", "")):
                    yield Reason.QUOTA_EXCEEDED, f"{name}: a pod is refused. {why}"
                case "ReplicaFailure", "True":
                    yield Reason.PODS_REFUSED, text
                case "Progressing", "False":
                    yield Reason.ROLLOUT_STUCK, f"{text}; see the events and logs of its pods"


def _ready(parts: Sequence[ConditionResult], state: ReconcileState, *, is_deleting: bool) -> ConditionResult:
    if is_deleting:
        return ConditionResult("Ready", "False", Reason.DELETING, "the tenant is being deleted")
    if state.interrupted:
        return ConditionResult("Ready", "False", state.interrupted.reason, state.interrupted.detail)
    by_type = {part.type: part for part in parts}
    ordered = [by_type[kind] for kind in _SUMMED_UP]
    if failed := next((part for part in ordered if part.status == "False"), None):
        return ConditionResult("Ready", "False", failed.reason, failed.message)
    if problem := _first_problem(state):
        return ConditionResult("Ready", "False", problem.reason, problem.detail)
    if unknown := next((part for part in ordered if part.status == "Unknown"), None):
        return ConditionResult("Ready", "Unknown", unknown.reason, unknown.message)
    text = "uploads are accepted and images are delivered"
    if state.unknown_fields:
        text += f"; unknown fields are ignored: {', '.join(state.unknown_fields)}"
    return ConditionResult("Ready", "True", Reason.SERVING, text)


def _progressing(
    parts: Sequence[ConditionResult],
    contracted: ConditionResult,
    state: ReconcileState,
    deployments: Mapping[str, Object | None],
) -> ConditionResult:
    kind: ConditionType = "Progressing"
    if blocked := next((part for part in [*parts, contracted] if part.reason in _BLOCKED), None):
        return ConditionResult(kind, "False", blocked.reason, blocked.message)
    if problem := _first_problem(state):
        return ConditionResult(kind, "True", Reason.RETRYING, problem.detail)
    unfinished = (part for part in parts if part.status != "True" and part.reason != Reason.SCALED_TO_ZERO)
    if part := next(unfinished, None):
        return ConditionResult(kind, "True", part.reason, part.message)
    if state.spec and (text := _rolling_out(state.spec, deployments)):
        return ConditionResult(kind, "True", Reason.ROLLING_OUT, text)
    if contracted.status != "True":
        return ConditionResult(kind, "True", contracted.reason, contracted.message)
    return ConditionResult(kind, "False", Reason.SETTLED, "everything is as the spec asks for")


def _rolling_out(spec: Spec, deployments: Mapping[str, Object | None]) -> str | None:
    """Which Deployment still replaces pods; None when none does."""
    for name, desired in _asked(spec, deployments).items():
        count = pod_counts(deployments[name], desired)
        if deployments[name] and {count["current"], count["ready"], count["updated"]} != {desired}:
            return f"{name}: {count['updated']} of {desired} pods are up to date"
    return None


def _stopped() -> ConditionResult:
    return ConditionResult("Progressing", "False", Reason.PAUSED, _PAUSED_TEXT)


def _paused(tenant: Mapping[str, Any]) -> ConditionResult:
    if is_paused(tenant):
        return ConditionResult("Paused", "True", Reason.PAUSED_BY_SPEC, _PAUSED_TEXT)
    return ConditionResult("Paused", "False", Reason.NOT_PAUSED, "changes of the spec are applied")


def _deleting(state: ReconcileState, *, is_deleting: bool) -> ConditionResult:
    if not is_deleting:
        return ConditionResult("Deleting", "False", Reason.NOT_DELETING, "no deletion was requested")
    return ConditionResult("Deleting", "True", *(state.deletion or (Reason.DELETING, "the tenant is being deleted")))


def _provider(state: ReconcileState, requirement: Requirement) -> BuiltObject | None:
    return next((built for built in state.desired if built.provides is requirement), None)


def _first_problem(state: ReconcileState) -> Problem | None:
    return state.interrupted or next(iter(state.problems.values()), None)


def _problem_of(state: ReconcileState, kinds: Collection[str], names: Collection[str] | None = None) -> Problem | None:
    for about, problem in state.problems.items():
        if isinstance(about, ObjectRef) and about.kind in kinds and (names is None or about.name in names):
            return problem
    return None
