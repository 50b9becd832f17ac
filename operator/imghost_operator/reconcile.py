"""One tenant, from what is asked to what is there: observe → gate → provision → build → apply → prune → status.

Level-triggered: each pass looks at everything and does what is missing, whatever it was that woke it. A pass that
finds nothing to do makes no call at all.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal, cast

from pydantic import ValidationError

from imghost_core.errors import ImghostError
from imghost_operator import build, diff, status
from imghost_operator.build.services import PORTS
from imghost_operator.conditions import migration_state
from imghost_operator.crd import Spec
from imghost_operator.deletion import Deletion
from imghost_operator.errors import (
    Changed,
    InvalidSpec,
    NamespaceMissing,
    NamespaceNotListed,
    NotOurs,
    PlatformDown,
    PlatformRefused,
    UnknownBackend,
)
from imghost_operator.facts import Facts, Port, Release
from imghost_operator.findings import Observed
from imghost_operator.passes import FINALIZER, Outcome, Pass
from imghost_operator.platform import Key, Object, Platform, check_owner, owned_by
from imghost_operator.provision.backends import DatabaseBackend, StoreBackend
from imghost_operator.provision.guard import Guard
from imghost_operator.provision.provisioner import Provisioner

MAX_PRUNED = 10  # a pass; more at once would rather be a mistake than a plan
RETRY_MIGRATION = timedelta(minutes=5)
RETRY_PROBLEM = 60.0

__all__ = ["FINALIZER", "Outcome", "Reconciler"]


class Reconciler:
    """Reconciles tenants on one platform. One pass at a time for each tenant; different tenants at once."""

    def __init__(
        self,
        platform: Platform,
        databases: Mapping[str, DatabaseBackend],
        stores: Mapping[str, StoreBackend],
        release: Release,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._provisioner = Provisioner(
            {name: Guard("database", name, backend) for name, backend in databases.items()},
            {name: Guard("store", name, backend) for name, backend in stores.items()},
        )
        self._platform, self._release, self._clock = platform, release, clock
        self._deletion = Deletion(platform, self._provisioner, clock)

    async def reconcile(self, tenant: Object) -> Outcome:
        """One pass; `tenant` is the custom resource with defaults. Raises `PlatformDown`, `Changed`, `TenantGone`."""
        now = self._observe(tenant)
        if status.is_paused(tenant):
            return await self._report(now)
        if now.deleting_since:
            return await self._deletion.step(now, self._report)
        if now.spec is None or now.problems:
            return await self._report(now)
        await self._begin(now)
        due_in = await self._provision(now, now.spec)
        await self._retry_migration(now)
        await self._apply(now)
        await self._prune(now)
        return await self._report(now, due_in)

    @property
    def guards(self) -> list[Guard[Any]]:
        """Every backend behind its circuit breaker; run `watch` of each, so that outages and returns are noticed."""
        return self._provisioner.guards

    def forget(self, name: str) -> None:
        """Drop what is remembered of a tenant that is gone."""
        self._provisioner.forget(name)

    def _observe(self, tenant: Object) -> Pass:
        now = Pass(tenant, {}, makes_namespace=self._platform.makes_namespaces)
        try:
            now.live = self._platform.children(now.name)
        except (NamespaceNotListed, NamespaceMissing, PlatformRefused) as error:
            now.problems[Key("Namespace", "", build.namespace_of(now.name))] = error
        try:
            now.spec = Spec.model_validate(tenant.get("spec") or {})
            self._provisioner.check_references(now.spec)
        except ValidationError as error:
            now.problems["spec"] = InvalidSpec(_first(error))
        except UnknownBackend as error:
            now.problems["spec"] = error
        return now

    async def _begin(self, now: Pass) -> None:
        """Before anything is made: hold on to the tenant until its end is cleaned up, and say that work has begun."""
        if FINALIZER not in now.finalizers:
            await self._platform.set_finalizers(now.tenant, [*now.finalizers, FINALIZER])
        if not now.is_begun:
            await self._report(now)  # raises TenantGone if its deletion was missed

    async def _provision(self, now: Pass, spec: Spec) -> float:
        """What is outside the platform, and from it everything that is desired. Returns seconds until the next look."""
        found = await self._provisioner.provision(now.name, spec, now.live)
        now.problems.update(dict(found.problems.items()))
        now.ready = found.ready
        now.facts = Facts(self._release, found.signing, found.database, found.store, self._endpoints(now.name))
        objects = build.desired(now.name, now.uid, spec, now.facts)
        now.desired = [obj for obj in objects if obj["kind"] != "Namespace" or now.makes_namespace]
        return found.due_in

    def _endpoints(self, tenant: str) -> Mapping[Port, str]:
        namespace = build.namespace_of(tenant)
        address = {
            port: self._platform.endpoint(namespace, service, port, number)
            for service, ports in PORTS.items()
            for port, (number, _) in ports.items()
        }
        return cast("Mapping[Port, str]", address)

    async def _retry_migration(self, now: Pass) -> None:
        """A migration that failed is tried anew after a while: what made it fail may have been put right."""
        job = now.live.get(now.migration) if now.migration else None
        if job is None or migration_state(job) != "failed" or job["metadata"].get("deletionTimestamp"):
            return
        failed_at = max(datetime.fromisoformat(it["lastTransitionTime"]) for it in job["status"]["conditions"])
        if self._clock() - failed_at >= RETRY_MIGRATION:
            await self._platform.delete(job)

    async def _apply(self, now: Pass) -> None:
        """Wave by wave, all of a wave at once; what has to wait is left as it is."""
        for wave in build.WAVES:
            ready = [obj for obj in now.desired if obj["kind"] in wave and not now.has_to_wait(obj)]
            results = await asyncio.gather(*(self._apply_one(now, obj) for obj in ready))
            # In the order of the objects, not of the answers: the status must not differ from pass to pass.
            now.problems |= {Key.of(obj): problem for obj, problem in zip(ready, results, strict=True) if problem}
            for problem in now.problems.values():
                if isinstance(problem, PlatformDown | Changed):
                    raise problem
            if not now.namespace_is_usable:
                return

    async def _apply_one(self, now: Pass, obj: Object) -> ImghostError | None:
        """Returns what went wrong."""
        key = Key.of(obj)
        live = now.live.get(key)
        try:
            if live is not None:
                check_owner(live, now.uid)
            if live is None or diff.changed(obj, live) or diff.foreign(obj, live):
                now.live[key] = await self._platform.apply(obj, live)
        except (NotOurs, PlatformRefused, PlatformDown, Changed) as error:
            return error
        return None

    async def _prune(self, now: Pass) -> None:
        """Delete objects of ours that are no longer desired: of the kinds we make, with our label and our owner."""
        if not now.namespace_is_usable:
            return
        wanted = {Key.of(obj) for obj in now.desired}
        doomed = [
            obj
            for key, obj in now.live.items()
            if key not in wanted
            and key.kind in build.KINDS
            and owned_by(obj, now.uid)
            and not obj["metadata"].get("deletionTimestamp")
        ]
        for obj in islice(doomed, MAX_PRUNED):
            await self._platform.delete(obj)
            del now.live[Key.of(obj)]

    async def _report(self, now: Pass, due_in: float | None = None) -> Outcome:
        """Write the status if it says something new."""
        observed = Observed(
            self._platform.enforces, now.spec, now.facts, now.desired, now.live, now.problems, now.deletion
        )
        old, new = now.tenant.get("status") or {}, status.report(now.tenant, observed, self._clock())
        if new != old:
            await self._platform.write_status(now.tenant, new)
            now.tenant = {**now.tenant, "status": new}
            await self._tell(now.tenant, old, new)
        if any(isinstance(key, Key) for key in now.problems):
            return Outcome(min(due_in or RETRY_PROBLEM, RETRY_PROBLEM))
        return Outcome(due_in)

    async def _tell(self, tenant: Object, old: Object, new: Object) -> None:
        """An event when the tenant became ready, or stopped being so."""
        before, after = _ready(old), _ready(new)
        if after and (before or {}).get("status") != after["status"] and after["status"] != "Unknown":
            kind: Literal["Normal", "Warning"] = "Normal" if after["status"] == "True" else "Warning"
            await self._platform.event(tenant, kind, after["reason"], after["message"])


def _ready(report: Object) -> Object | None:
    return next((it for it in report.get("conditions", ()) if it["type"] == "Ready"), None)


def _first(error: ValidationError) -> str:
    """Where the spec does not fit, without the value: it may be a secret in the wrong place."""
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in ("spec", *problem["loc"]))
    return f"{where}: {problem['msg']}. Change it, or install the CRD that belongs to this operator."
