"""From what one pass found to the status people read. Pure: the same findings at any time make the same status."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from imghost_operator import diff, tenant_objects
from imghost_operator.autoscaling import pods_asked
from imghost_operator.conditions import evaluate_conditions, is_paused, reason_of, workload
from imghost_operator.crd.status import MAX_MESSAGE
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.reconcile_state import ConditionResult, ReconcileState
from imghost_operator.tenant_objects.meta import Owner

__all__ = ["ReconcileState", "is_paused", "report"]


def report(tenant: Mapping[str, Any], state: ReconcileState, now: datetime) -> Object:
    """The whole new status; equal to the tenant's present one when nothing that matters changed.

    While the tenant is paused only `Paused`, `Progressing` and `observedGeneration` are brought up to date, for nothing
    else was looked at.
    """
    old: Object = tenant.get("status") or {}
    generation = tenant["metadata"].get("generation", 1)
    results = evaluate_conditions(tenant, state)
    if is_paused(tenant):
        results = [it for it in results if it.type in {"Paused", "Progressing"} or not _condition(old, it.type)]
        return {**old, "observedGeneration": generation, "conditions": _conditions(old, results, generation, now)}
    error = _last_error(old, state, now)
    return {
        "observedGeneration": generation,
        "conditions": _conditions(old, results, generation, now),
        **_places(tenant, state, old),
        "objects": _objects(state),
        **({"lastError": error} if error else {}),
    }


def _conditions(old: Object, results: list[ConditionResult], generation: int, now: datetime) -> list[Object]:
    """All conditions: those judged now, and those judged before that were not looked at."""
    new = {result.type: _stamp(_condition(old, result.type), result, generation, now) for result in results}
    kept = {it["type"]: new.pop(it["type"], it) for it in old.get("conditions", ())}
    return [*kept.values(), *new.values()]


def _stamp(before: Object | None, result: ConditionResult, generation: int, now: datetime) -> Object:
    has_changed = before is None or before["status"] != result.status
    return {
        "type": result.type,
        "status": result.status,
        "reason": result.reason,
        "message": _short(result.message),
        "observedGeneration": generation,
        "lastTransitionTime": _time(now) if before is None or has_changed else before["lastTransitionTime"],
    }


def _places(tenant: Mapping[str, Any], state: ReconcileState, old: Object) -> Object:
    """Where everything is. What this pass could not find out stays as it was."""
    owner = Owner(tenant["metadata"]["name"], tenant["metadata"].get("uid", ""))
    places: Object = {
        "namespace": owner.namespace,
        "selector": ",".join(f"{key}={value}" for key, value in owner.selector("api").items()),
        **{key: old[key] for key in ("url", "version", "storage", "database", "api", "imaging") if key in old},
    }
    if state.spec:
        for name, asked in (("api", state.spec.api), ("imaging", state.spec.imaging)):
            live = state.live.get(ObjectRef("Deployment", owner.namespace, name))
            places[name] = workload(live, pods_asked(asked, live))
    if state.inputs:
        places |= _facts(state)
    return places


def _facts(state: ReconcileState) -> Object:
    inputs, spec = state.inputs, state.spec
    if inputs is None or spec is None:
        return {}
    return {
        "url": tenant_objects.public_urls(spec, inputs)["VIEW_SERVER_URL"],
        "version": inputs.release.version,
        "storage": {
            "backend": inputs.store.backend,
            "bucket": inputs.store.bucket,
            "prefix": inputs.store.prefix,
            "keyId": inputs.store.key_id,
        },
        "database": {
            "instance": inputs.database.instance,
            "name": inputs.database.name,
            "role": inputs.database.roles["owner"],
        },
    }


def _objects(state: ReconcileState) -> Object:
    live = state.live
    applied = [it for it in state.desired if ObjectRef.of(it) in live and not diff.changed(it, live[ObjectRef.of(it)])]
    return {"desired": len(state.desired), "applied": len(applied)}


def _last_error(old: Object, state: ReconcileState, now: datetime) -> Object | None:
    error = next(iter(state.problems.values()), None)
    if error is None:
        return None
    before = old.get("lastError", {})
    reason = reason_of(error)
    since = before["since"] if before.get("reason") == reason else _time(now)
    return {"reason": reason, "message": _short(error.detail), "since": since}


def _condition(status: Object, kind: str) -> Object | None:
    return next((it for it in status.get("conditions", ()) if it["type"] == kind), None)


def _short(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
