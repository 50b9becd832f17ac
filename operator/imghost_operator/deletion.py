"""Deletes a tenant in the order that leaves nothing behind: processes, credentials, data, then the finalizer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from imghost_operator.crd import Spec
from imghost_operator.platform import Object, Platform, owned_by
from imghost_operator.provision.provisioner import Provisioner
from imghost_operator.provision.recovery import Recovery
from imghost_operator.reasons import Reason
from imghost_operator.reconcile_context import FINALIZER, Outcome, ReconcileContext

PATIENCE = timedelta(minutes=2)  # for processes to end; a lost node must not keep credentials valid without a limit
STUCK = timedelta(minutes=10)
RETRY_SECONDS = 5.0
_PROCESSES = frozenset({"Deployment", "Job"})

Report = Callable[[ReconcileContext], Awaitable[Outcome]]


class Deletion:
    """Ends tenants on one platform."""

    def __init__(
        self, platform: Platform, provisioner: Provisioner, recovery: Recovery, clock: Callable[[], datetime]
    ) -> None:
        self._platform, self._provisioner, self._recovery, self._clock = platform, provisioner, recovery, clock

    async def step(self, ctx: ReconcileContext, report: Report) -> Outcome:
        """Do as many steps as possible now; every step can be repeated."""
        if FINALIZER not in ctx.finalizers:
            return Outcome()  # nothing was created outside the platform; objects inside are deleted with their owner
        if await self._ends_processes(ctx):
            ctx.deletion = (Reason.STOPPING_PODS, "waiting for the pods to end, before their credentials are revoked")
            await report(ctx)
            return Outcome(RETRY_SECONDS)
        if ctx.spec and not ctx.problems:  # an invalid spec or an unknown backend is a problem already
            ctx.problems.update((await self._provisioner.release(ctx.name, ctx.spec)).items())
        if ctx.problems and not self._keeps_data(ctx):
            return await self._wait(ctx, report)
        if ctx.problems:
            await self._report_leftovers(ctx)
        await self._remove(ctx)
        if not self._keeps_data(ctx) and (copy := await self._platform.read(self._recovery.ref(ctx.name))):
            await self._platform.delete(copy)
        await self._platform.set_finalizers(ctx.tenant, [each for each in ctx.finalizers if each != FINALIZER])
        return Outcome()

    async def _remove(self, ctx: ReconcileContext) -> None:
        """The namespace and so everything in it; where others created it, every object of ours."""
        ours = [obj for obj in ctx.live.values() if owned_by(obj, ctx.uid)]
        whole = [obj for obj in ours if obj["kind"] == "Namespace"]
        await asyncio.gather(*(self._platform.delete(obj) for obj in (whole if ctx.makes_namespace else ours)))

    async def _ends_processes(self, ctx: ReconcileContext) -> bool:
        """Stop all workloads. Returns whether to wait for pods that still run."""
        running = [obj for key, obj in ctx.live.items() if key.kind in _PROCESSES and owned_by(obj, ctx.uid)]
        for obj in running:
            if not obj["metadata"].get("deletionTimestamp"):
                await self._platform.delete(obj)
        return bool(running) and self._age(ctx) < PATIENCE

    async def _wait(self, ctx: ReconcileContext, report: Report) -> Outcome:
        text = "; ".join(problem.detail for problem in ctx.problems.values())
        advice = "To delete the tenant and keep its data, set spec.deletionPolicy to Retain."
        is_stuck = self._age(ctx) > STUCK
        ctx.deletion = (Reason.STUCK if is_stuck else Reason.WAITING_FOR_BACKEND, f"{text} {advice}")
        await report(ctx)
        if is_stuck:
            await self._platform.event(ctx.tenant, "Warning", Reason.DELETION_STUCK, f"{text} {advice}")
        return Outcome(min(60.0, max(RETRY_SECONDS, self._age(ctx).total_seconds() / 4)))

    async def _report_leftovers(self, ctx: ReconcileContext) -> None:
        text = "; ".join(problem.detail for problem in ctx.problems.values())
        await self._platform.event(
            ctx.tenant,
            "Warning",
            Reason.CREDENTIALS_NOT_REVOKED,
            f"The tenant is deleted; its credentials could not be revoked: {text}",
        )

    def _age(self, ctx: ReconcileContext) -> timedelta:
        return self._clock() - (ctx.deleting_since or self._clock())

    @staticmethod
    def _keeps_data(ctx: ReconcileContext) -> bool:
        spec: Object | Spec = ctx.spec or ctx.tenant.get("spec") or {}
        policy = spec.deletion_policy if isinstance(spec, Spec) else spec.get("deletionPolicy", "Retain")
        return policy == "Retain"
