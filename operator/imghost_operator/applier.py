"""Writes a tenant's desired objects to the platform, and deletes those that are no longer desired."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice

from imghost_operator import diff, tenant_objects
from imghost_operator.admitted import Admitted
from imghost_operator.built_object import BuiltObject
from imghost_operator.contention import Contention
from imghost_operator.errors import NotOwned, PlatformDown, PlatformRefused, Problem, StaleObject
from imghost_operator.platform import Object, ObjectRef, Platform, check_owner, owned_by
from imghost_operator.progress import is_done, job_state
from imghost_operator.reasons import Reason
from imghost_operator.reconcile_context import ReconcileContext
from imghost_operator.tenant_objects.meta import APPLIED_ANNOTATION

MAX_PRUNED = 10  # per pass; more deletions would indicate a defect
RETRY_MIGRATION = timedelta(minutes=5)
_READ_BY_PODS = frozenset({"ConfigMap", "Secret", "ServiceAccount"})
_MOST_FIELDS = 5  # that an event names


class Applier:
    """Makes the live objects of one tenant after the other what they should be."""

    def __init__(self, platform: Platform, clock: Callable[[], datetime]) -> None:
        self._platform, self._clock = platform, clock
        self._contention = Contention(lambda: clock().timestamp())
        self._admitted = Admitted()

    def expect(self, built: BuiltObject, live: Object | None) -> BuiltObject:
        """An object as it was built, with the form in which it is stored where admission webhooks change it."""
        return self._admitted.expect(built, live)

    def forget(self, tenant: str) -> None:
        """Discard what is stored about a deleted tenant."""
        for known in (self._contention, self._admitted):
            known.forget(tenant_objects.namespace_of(tenant))

    async def retry_migration(self, ctx: ReconcileContext) -> None:
        """Delete a Job that failed some time ago, so that it is created again: its cause may have been fixed."""
        jobs = [ctx.live[built.ref] for built in ctx.desired if built.kind == "Job" and built.ref in ctx.live]
        for job in jobs:
            if job_state(job) == "failed" and not job["metadata"].get("deletionTimestamp"):
                conditions = job["status"]["conditions"]
                failed_at = max(datetime.fromisoformat(condition["lastTransitionTime"]) for condition in conditions)
                if self._clock() - failed_at >= RETRY_MIGRATION:
                    await self._platform.delete(job)

    async def apply(self, ctx: ReconcileContext) -> None:
        """Apply wave by wave, all objects of a wave concurrently; what has to wait is left as it is."""
        for wave in tenant_objects.WAVES:
            ready = ctx.applicable(wave)
            results = await asyncio.gather(*(self._apply_one(ctx, built) for built in ready))
            # In the order of the objects, not of the responses: the status must not differ from pass to pass.
            for built, failure in zip(ready, results, strict=True):
                if isinstance(failure, PlatformDown | StaleObject):
                    raise failure
                if failure is not None:
                    ctx.problems[built.ref] = failure
            if not ctx.namespace_is_usable:
                return

    async def _apply_one(self, ctx: ReconcileContext, built: BuiltObject) -> Problem | StaleObject | None:
        """Returns what failed."""
        live = ctx.live.get(built.ref)
        try:
            if live is not None:
                check_owner(live, ctx.uid)
            if live is None or diff.changed(built.expected, live) or diff.foreign(built.expected, live):
                await self._write(ctx, built, live)
        except (NotOwned, PlatformRefused, PlatformDown, StaleObject) as error:
            return error
        return None

    async def _write(self, ctx: ReconcileContext, built: BuiltObject, live: Object | None) -> None:
        """Apply an object, or leave it for later where something else keeps changing it."""
        key, obj = built.ref, built.expected if built.kind == "Job" else built.manifest
        stamp = str(obj["metadata"]["annotations"][APPLIED_ANNOTATION])
        if pause := self._contention.pause(key, stamp):
            ctx.paused.append(pause)
            text = (
                f"{key.kind} {key.name} is changed again and again by another writer, so it is restored less and less "
                "often. Its managedFields name the writer; stop it."
            )
            await self._platform.event(ctx.tenant, "Warning", Reason.CONTESTED, text)
            return
        ctx.live[key] = stored = await self._platform.apply(obj, live)
        self._contention.note(key, stamp)
        fields = self._admitted.note(built, stored)
        ctx.desired = [self.expect(each, stored) if each.ref == key else each for each in ctx.desired]
        if fields:
            text = (
                f"{key.kind} {key.name}: the cluster's admission changed {', '.join(fields[:_MOST_FIELDS])}"
                f"{', …' if fields[_MOST_FIELDS:] else ''}; it is kept like that."
            )
            await self._platform.event(ctx.tenant, "Normal", Reason.CHANGED_BY_ADMISSION, text)

    async def prune(self, ctx: ReconcileContext) -> None:
        """Delete objects of ours that are no longer desired: of the kinds we make, with our label and our owner.

        What pods of the former release read stays until they are replaced; one that starts again would not start.
        """
        if not ctx.namespace_is_usable:
            return
        wanted = {built.ref for built in ctx.desired}
        deployments = [built for built in ctx.desired if built.kind == "Deployment"]
        is_rolled_out = all(is_done(built, ctx.live.get(built.ref)) for built in deployments)
        doomed = [
            obj
            for key, obj in ctx.live.items()
            if key not in wanted
            and key.kind in tenant_objects.KINDS
            and (is_rolled_out or key.kind not in _READ_BY_PODS)
            and owned_by(obj, ctx.uid)
            and not obj["metadata"].get("deletionTimestamp")
        ]
        for obj in islice(doomed, MAX_PRUNED):
            await self._platform.delete(obj)
            self._admitted.discard(ObjectRef.of(obj))
            del ctx.live[ObjectRef.of(obj)]
