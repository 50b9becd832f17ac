"""Makes the status from the findings of one pass. Pure: equal findings make an equal status."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args

from pydantic import ValidationError

from imghost_operator import diff, tenant_objects
from imghost_operator.autoscaling import pods_asked
from imghost_operator.built_object import Requirement
from imghost_operator.conditions import evaluate_conditions, is_paused, workloads
from imghost_operator.crd.status import (
    MAX_MESSAGE,
    Condition,
    ConditionType,
    DatabaseStatus,
    LastError,
    MigrationsStatus,
    ObjectsStatus,
    Status,
    StorageStatus,
    WorkloadStatus,
)
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.progress import is_done, pod_counts
from imghost_operator.reconcile_state import ConditionResult, ReconcileState
from imghost_operator.tenant_objects.meta import Owner

__all__ = ["ReconcileState", "is_paused", "report"]


def report(tenant: Mapping[str, Any], state: ReconcileState, now: datetime) -> Object:
    """The whole new status; equal to the tenant's present one when nothing that matters changed.

    While the tenant is paused only `Paused`, `Progressing` and `observedGeneration` are updated, after an interrupted
    pass only `Ready`, `Progressing` and `lastError`: nothing else was evaluated.
    """
    old = _previous(tenant.get("status") or {})
    now = now.replace(microsecond=0)
    generation = tenant["metadata"].get("generation", 1)
    results = evaluate_conditions(tenant, state)
    changes: dict[str, Any]
    if is_paused(tenant):
        results, changes = _only(old, results, "Paused", "Progressing"), {}
    elif state.interrupted:
        results = _only(old, results, "Ready", "Progressing")
        changes = {"last_error": _last_error(old, state, now)}
    else:
        changes = {**_details(tenant, state), "objects": _objects(state), "last_error": _last_error(old, state, now)}
    conditions = _conditions(old, results, generation, now)
    new = old.model_copy(update={**changes, "observed_generation": generation, "conditions": conditions})
    return new.model_dump(mode="json", by_alias=True, exclude_none=True)


def _only(old: Status, results: list[ConditionResult], *kinds: ConditionType) -> list[ConditionResult]:
    """The results of these conditions, and of those that the status does not have yet."""
    known = {condition.type for condition in old.conditions or ()}
    return [result for result in results if result.type in kinds or result.type not in known]


def _previous(stored: Object) -> Status:
    """The stored status, without conditions of other releases; empty when another release wrote another shape."""
    conditions = [each for each in stored.get("conditions", ()) if each.get("type") in get_args(ConditionType)]
    try:
        return Status.model_validate({**stored, "conditions": conditions or None})
    except ValidationError:
        return Status.model_validate({})


def _conditions(old: Status, results: list[ConditionResult], generation: int, now: datetime) -> tuple[Condition, ...]:
    """All conditions: those evaluated now, and earlier ones that were not."""
    before = {condition.type: condition for condition in old.conditions or ()}
    new = {result.type: _stamp(before.get(result.type), result, generation, now) for result in results}
    return tuple((before | new).values())


def _stamp(before: Condition | None, result: ConditionResult, generation: int, now: datetime) -> Condition:
    return Condition(
        type=result.type,
        status=result.status,
        reason=result.reason.value,
        message=_short(result.message),
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before and before.status == result.status else now,
    )


def _details(tenant: Mapping[str, Any], state: ReconcileState) -> dict[str, Any]:
    """Namespace, URL, backends and numbers of pods. What this pass could not determine is left out."""
    owner = Owner(tenant["metadata"]["name"], tenant["metadata"].get("uid", ""))
    details: dict[str, Any] = {
        "namespace": owner.namespace,
        "selector": ",".join(f"{key}={value}" for key, value in owner.selector("api").items()),
    }
    if state.spec is None:
        return details
    for name, workload in workloads(state.spec).items():
        live = state.live.get(ObjectRef("Deployment", owner.namespace, name))
        details[name] = WorkloadStatus(**pod_counts(live, pods_asked(workload, live)))
    if state.inputs:
        store, database = state.inputs.store, state.inputs.database
        details |= {
            "url": tenant_objects.public_urls(state.spec, state.inputs)["VIEW_SERVER_URL"],
            "version": state.inputs.release.version,
            "storage": StorageStatus(
                backend=store.backend,
                bucket=store.bucket,
                prefix=store.prefix,
                key_id=key.id if (key := store.keys.get("api")) else "",
            ),
            "database": DatabaseStatus(
                instance=database.instance,
                name=database.name,
                role=database.roles["owner"],
                id=database.identity or None,
            ),
        }
    return details | {"migrations": _migrations(state)}


def _migrations(state: ReconcileState) -> MigrationsStatus:
    """Which of the desired migrations are complete."""
    names = {
        requirement: built.ref.name
        for built in state.desired
        if built.kind == "Job" and is_done(built, state.live.get(built.ref), state.migrated)
        for requirement in [built.provides]
    }
    return MigrationsStatus(pre=names.get(Requirement.EXPANDED_SCHEMA), post=names.get(Requirement.CONTRACTED_SCHEMA))


def _objects(state: ReconcileState) -> ObjectsStatus:
    live = ((built, state.live.get(built.ref)) for built in state.desired)
    applied = sum(
        1
        for built, obj in live
        if (built.ref.name in state.migrated if obj is None else not diff.changed(built.expected, obj))
    )
    return ObjectsStatus(desired=len(state.desired), applied=applied)


def _last_error(old: Status, state: ReconcileState, now: datetime) -> LastError | None:
    problem = state.interrupted or next(iter(state.problems.values()), None)
    if problem is None:
        return None
    before = old.last_error
    since = before.since if before and before.reason == problem.reason else now
    return LastError(reason=problem.reason.value, message=_short(problem.detail), since=since)


def _short(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…"
