"""From what one pass found to the status people read. Pure: the same findings at any time make the same status."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from imghost_operator import build, diff
from imghost_operator.autoscaling import pods_asked
from imghost_operator.build.meta import Owner
from imghost_operator.conditions import is_paused, judge, reason_of, workload
from imghost_operator.crd.status import MAX_MESSAGE
from imghost_operator.findings import Finding, Observed
from imghost_operator.platform import Key, Object

__all__ = ["Observed", "is_paused", "report"]


def report(tenant: Mapping[str, Any], observed: Observed, now: datetime) -> Object:
    """The whole new status; equal to the tenant's present one when nothing that matters changed.

    While the tenant is paused only `Paused`, `Progressing` and `observedGeneration` are brought up to date, for nothing
    else was looked at.
    """
    old: Object = tenant.get("status") or {}
    generation = tenant["metadata"].get("generation", 1)
    findings = judge(tenant, observed)
    if is_paused(tenant):
        findings = [it for it in findings if it.type in {"Paused", "Progressing"} or not _condition(old, it.type)]
        return {**old, "observedGeneration": generation, "conditions": _conditions(old, findings, generation, now)}
    error = _last_error(old, observed, now)
    return {
        "observedGeneration": generation,
        "conditions": _conditions(old, findings, generation, now),
        **_places(tenant, observed, old),
        "objects": _objects(observed),
        **({"lastError": error} if error else {}),
    }


def _conditions(old: Object, findings: list[Finding], generation: int, now: datetime) -> list[Object]:
    """All conditions: those judged now, and those judged before that were not looked at."""
    new = {finding.type: _stamp(_condition(old, finding.type), finding, generation, now) for finding in findings}
    kept = {it["type"]: new.pop(it["type"], it) for it in old.get("conditions", ())}
    return [*kept.values(), *new.values()]


def _stamp(before: Object | None, finding: Finding, generation: int, now: datetime) -> Object:
    has_changed = before is None or before["status"] != finding.status
    return {
        "type": finding.type,
        "status": finding.status,
        "reason": finding.reason,
        "message": _short(finding.message),
        "observedGeneration": generation,
        "lastTransitionTime": _time(now) if before is None or has_changed else before["lastTransitionTime"],
    }


def _places(tenant: Mapping[str, Any], observed: Observed, old: Object) -> Object:
    """Where everything is. What this pass could not find out stays as it was."""
    owner = Owner(tenant["metadata"]["name"], tenant["metadata"].get("uid", ""))
    places: Object = {
        "namespace": owner.namespace,
        "selector": ",".join(f"{key}={value}" for key, value in owner.selector("api").items()),
        **{key: old[key] for key in ("url", "version", "storage", "database", "api", "imaging") if key in old},
    }
    if observed.spec:
        for name, asked in (("api", observed.spec.api), ("imaging", observed.spec.imaging)):
            live = observed.live.get(Key("Deployment", owner.namespace, name))
            places[name] = workload(live, pods_asked(asked, live))
    if observed.facts:
        places |= _facts(observed)
    return places


def _facts(observed: Observed) -> Object:
    facts, spec = observed.facts, observed.spec
    if facts is None or spec is None:
        return {}
    return {
        "url": build.public_urls(spec, facts)["VIEW_SERVER_URL"],
        "version": facts.release.version,
        "storage": {
            "backend": facts.store.backend,
            "bucket": facts.store.bucket,
            "prefix": facts.store.prefix,
            "keyId": facts.store.key_id,
        },
        "database": {
            "instance": facts.database.instance,
            "name": facts.database.name,
            "role": facts.database.roles["owner"],
        },
    }


def _objects(observed: Observed) -> Object:
    live = observed.live
    applied = [it for it in observed.desired if Key.of(it) in live and not diff.changed(it, live[Key.of(it)])]
    return {"desired": len(observed.desired), "applied": len(applied)}


def _last_error(old: Object, observed: Observed, now: datetime) -> Object | None:
    error = next(iter(observed.problems.values()), None)
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
