"""The end of a tenant, in the order that leaves nothing behind: processes, credentials, data, then the finalizer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from imghost_core.errors import ImghostError
from imghost_operator.crd import Spec
from imghost_operator.passes import FINALIZER, Outcome, Pass
from imghost_operator.platform import Object, Platform, owned_by
from imghost_operator.provision.provisioner import Provisioner

PATIENCE = timedelta(minutes=2)  # for processes to end; a lost node must not keep credentials alive for ever
STUCK = timedelta(minutes=10)
LOOK_AGAIN = 5.0
_PROCESSES = frozenset({"Deployment", "Job"})

Report = Callable[[Pass], Awaitable[Outcome]]


class Deletion:
    """Ends tenants on one platform."""

    def __init__(self, platform: Platform, provisioner: Provisioner, clock: Callable[[], datetime]) -> None:
        self._platform, self._provisioner, self._clock = platform, provisioner, clock

    async def step(self, now: Pass, report: Report) -> Outcome:
        """Go as far as possible; every step can be repeated."""
        if FINALIZER not in now.finalizers:
            return Outcome()  # nothing was ever made outside the platform; what is inside goes with its owner
        if await self._ends_processes(now):
            now.deletion = ("StoppingPods", "waiting for the pods to end, before their credentials do")
            await report(now)
            return Outcome(LOOK_AGAIN)
        for number, problem in enumerate(await self._release(now)):
            now.problems[f"release-{number}"] = problem
        if now.problems and not self._keeps_data(now):
            return await self._wait(now, report)
        if now.problems:
            await self._tell_of_leftovers(now)
        await self._remove(now)
        await self._platform.set_finalizers(now.tenant, [it for it in now.finalizers if it != FINALIZER])
        return Outcome()

    async def _remove(self, now: Pass) -> None:
        """The namespace and so everything in it; where others made it, everything of ours."""
        ours = [obj for obj in now.live.values() if owned_by(obj, now.uid)]
        whole = [obj for obj in ours if obj["kind"] == "Namespace"]
        await asyncio.gather(*(self._platform.delete(obj) for obj in (whole if now.makes_namespace else ours)))

    async def _ends_processes(self, now: Pass) -> bool:
        """Stop everything that runs; whether something still does, and is worth waiting for."""
        running = [obj for key, obj in now.live.items() if key.kind in _PROCESSES and owned_by(obj, now.uid)]
        for obj in running:
            if not obj["metadata"].get("deletionTimestamp"):
                await self._platform.delete(obj)
        return bool(running) and self._age(now) < PATIENCE

    async def _release(self, now: Pass) -> list[ImghostError]:
        """Revoke credentials and delete data. A spec that cannot be read, or names no backend of ours, is a problem."""
        if now.spec is None or now.problems:
            problems = list(now.problems.values())
            now.problems.clear()
            return problems
        return await self._provisioner.release(now.name, now.spec)

    async def _wait(self, now: Pass, report: Report) -> Outcome:
        text = "; ".join(problem.detail for problem in now.problems.values())
        advice = "To let go of the tenant and keep its data, set spec.deletionPolicy to Retain."
        is_stuck = self._age(now) > STUCK
        now.deletion = ("Stuck" if is_stuck else "WaitingForBackend", f"{text} {advice}")
        await report(now)
        if is_stuck:
            await self._platform.event(now.tenant, "Warning", "DeletionStuck", f"{text} {advice}")
        return Outcome(min(60.0, max(LOOK_AGAIN, self._age(now).total_seconds() / 4)))

    async def _tell_of_leftovers(self, now: Pass) -> None:
        text = "; ".join(problem.detail for problem in now.problems.values())
        await self._platform.event(
            now.tenant, "Warning", "CredentialsNotRevoked", f"The tenant is let go of, but its credentials stay: {text}"
        )

    def _age(self, now: Pass) -> timedelta:
        return self._clock() - (now.deleting_since or self._clock())

    @staticmethod
    def _keeps_data(now: Pass) -> bool:
        spec: Object | Spec = now.spec or now.tenant.get("spec") or {}
        policy = spec.deletion_policy if isinstance(spec, Spec) else spec.get("deletionPolicy", "Retain")
        return policy == "Retain"
