"""One tenant, from the spec to the cluster: observe → gate → provision → build → apply → prune → status.

Level-triggered: each pass looks at everything and does what is missing, whatever event started it. A pass that finds
nothing to do makes no API call.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ValidationError

from imghost_core.errors import ImghostError
from imghost_operator import status, tenant_objects
from imghost_operator.applier import Applier
from imghost_operator.build_inputs import BuildInputs, ClusterFacts, Port, Release
from imghost_operator.crd import Spec
from imghost_operator.deletion import Deletion
from imghost_operator.errors import (
    InvalidSpec,
    NamespaceMissing,
    NamespaceNotListed,
    NamespaceTerminating,
    NotOwned,
    PlatformRefused,
    Problem,
    UnexpectedError,
    UnknownBackend,
)
from imghost_operator.platform import Object, ObjectRef, Platform, check_owner
from imghost_operator.provision.backends import DatabaseBackend, StoreBackend
from imghost_operator.provision.circuit_breaker import CircuitBreaker
from imghost_operator.provision.credentials import Credentials
from imghost_operator.provision.provisioner import Provisioner
from imghost_operator.provision.recovery import Recovery
from imghost_operator.reasons import Reason
from imghost_operator.reconcile_context import FINALIZER, Outcome, ReconcileContext
from imghost_operator.reconcile_state import ReconcileState
from imghost_operator.spec_reader import first_error, read_spec
from imghost_operator.tenant_contract import PORTS

RETRY_PROBLEM_SECONDS = 60.0
_USUAL_CLUSTER = ClusterFacts()

__all__ = ["FINALIZER", "Outcome", "Reconciler"]


class Reconciler:
    """Reconciles tenants on one platform. One pass at a time for each tenant; different tenants concurrently."""

    def __init__(
        self,
        platform: Platform,
        databases: Mapping[str, DatabaseBackend],
        stores: Mapping[str, StoreBackend],
        release: Release,
        *,
        cluster: ClusterFacts = _USUAL_CLUSTER,
        standing_by: Callable[[], tuple[str, ...]] = lambda: (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._provisioner = Provisioner(
            {name: CircuitBreaker("database", name, backend) for name, backend in databases.items()},
            {name: CircuitBreaker("store", name, backend) for name, backend in stores.items()},
        )
        self._platform, self._release, self._facts, self._clock = platform, release, cluster, clock
        self._standing_by = standing_by
        self._recovery = Recovery(platform, clock)
        self._applier = Applier(platform, clock)
        self._deletion = Deletion(platform, self._provisioner, self._recovery, clock)

    async def reconcile(self, tenant: Object) -> Outcome:
        """One pass; `tenant` has its defaults. Raises `PlatformDown`, `StaleObject`, `TenantGone`.

        What else it raises is a defect; the status reports it first.
        """
        try:
            return await self._pass(self._observe(tenant))
        except ImghostError:
            raise
        except Exception as error:
            with suppress(Exception):
                await self._report_unexpected(tenant, UnexpectedError.of(error))
            raise

    async def _pass(self, ctx: ReconcileContext) -> Outcome:
        tenant = ctx.tenant
        if any(isinstance(problem, NamespaceNotListed) for problem in ctx.problems.values()):
            return await self._leave_alone(ctx)
        if status.is_paused(tenant):
            return await self._report(ctx)
        if ctx.deleting_since:
            return await self._deletion.step(ctx, self._report)
        if ctx.spec is None or ctx.problems:
            return await self._report(ctx)
        return await self._make(ctx, ctx.spec)

    async def _make(self, ctx: ReconcileContext, spec: Spec) -> Outcome:
        """Make everything that the spec asks for, outside the cluster and inside."""
        await self._begin(ctx)
        if problem := _blocked_namespace(ctx):
            ctx.problems[ObjectRef.of(ctx.namespace or {})] = problem
            return await self._report(ctx)
        if ctx.unknown_fields:
            names = ", ".join(ctx.unknown_fields)
            text = f"{names}: this operator does not know it and ignores it. Upgrade the operator, or remove the field."
            await self._platform.event(ctx.tenant, "Warning", Reason.UNKNOWN_FIELD, text)
        try:
            known = await self._recover(ctx, spec)
        except PlatformRefused as error:  # without the copy no credential may be made
            ctx.problems["credentials"] = error
            return await self._report(ctx, RETRY_PROBLEM_SECONDS)
        due_in = await self._provision(ctx, spec, known)
        await self._applier.retry_migration(ctx)
        await self._applier.apply(ctx)
        await self._applier.prune(ctx)
        return await self._report(ctx, due_in)

    @property
    def breakers(self) -> list[CircuitBreaker[Any]]:
        """Every backend behind its circuit breaker; run `watch` of each, which detects outages and recoveries."""
        return self._provisioner.breakers

    def roll_out(self, release: Release) -> None:
        """Make the objects of another release from the next pass on."""
        self._release = release

    def forget(self, name: str) -> None:
        """Discard what is stored about a deleted tenant."""
        self._provisioner.forget(name)
        self._applier.forget(name)

    def _observe(self, tenant: Object) -> ReconcileContext:
        ctx = ReconcileContext(tenant, {}, makes_namespace=self._platform.makes_namespaces)
        try:
            ctx.live = self._platform.children(ctx.name)
        except (NamespaceNotListed, NamespaceMissing, PlatformRefused) as error:
            ctx.problems[ObjectRef("Namespace", "", tenant_objects.namespace_of(ctx.name))] = error
        try:
            ctx.spec, ctx.unknown_fields = read_spec(tenant.get("spec") or {})
            self._provisioner.check_references(ctx.spec)
        except ValidationError as error:
            ctx.problems["spec"] = InvalidSpec(first_error(error))
        except UnknownBackend as error:
            ctx.problems["spec"] = error
        return ctx

    async def _leave_alone(self, ctx: ReconcileContext) -> Outcome:
        """A tenant whose namespace is not listed here may be another operator's: not even its status is changed, unless
        no operator reports anything else.
        """
        ready = _ready(ctx.tenant.get("status") or {})
        if ready is None or ready["reason"] == Reason.NAMESPACE_NOT_LISTED:
            return await self._report(ctx)
        return Outcome()

    async def _begin(self, ctx: ReconcileContext) -> None:
        """Add the finalizer that keeps the tenant until its data is released, and report that work has begun."""
        if FINALIZER not in ctx.finalizers:
            await self._platform.set_finalizers(ctx.tenant, [*ctx.finalizers, FINALIZER])
        if not ctx.is_begun:
            await self._report(ctx)  # raises TenantGone if its deletion was missed

    async def _recover(self, ctx: ReconcileContext, spec: Spec) -> Credentials:
        """The tenant's credentials; what its Secrets have lost is restored, and reported."""
        rotation = spec.credentials.model_dump(exclude_none=True)
        recovered = await self._recovery.recover(ctx.name, ctx.uid, rotation, ctx.live)
        ctx.recovered = recovered
        if recovered.restored_now:
            names, copy = ", ".join(recovered.restored_now), recovered.ref
            text = (
                f"Secrets {names} were missing or changed; they are restored from {copy.namespace}/{copy.name}. "
                "To replace credentials, change spec.credentials."
            )
            await self._platform.event(ctx.tenant, "Warning", Reason.CREDENTIALS_RESTORED, text)
        return recovered.credentials

    async def _provision(self, ctx: ReconcileContext, spec: Spec, known: Credentials) -> float:
        """Provision the backends and build the desired objects. Returns seconds until the next pass."""
        database_id = (ctx.tenant.get("status") or {}).get("database", {}).get("id", "")
        found = await self._provisioner.provision(ctx.name, spec, known, ctx.live, database_id)
        ctx.problems.update(found.problems.items())
        ctx.provisioned = found.ready
        ctx.inputs = BuildInputs(
            self._release, found.signing, found.database, found.store, self._endpoints(ctx.name), self._facts
        )
        objects = tenant_objects.build(ctx.name, ctx.uid, spec, ctx.inputs)
        wanted = (built for built in objects if built.kind != "Namespace" or ctx.makes_namespace)
        ctx.desired = [self._applier.expect(built, ctx.live.get(built.ref)) for built in wanted]
        return found.due_in

    def _endpoints(self, tenant: str) -> Mapping[Port, str]:
        namespace = tenant_objects.namespace_of(tenant)
        return {
            name: self._platform.endpoint(namespace, port.service, name, port.number) for name, port in PORTS.items()
        }

    async def _report(self, ctx: ReconcileContext, due_in: float | None = None) -> Outcome:
        """Write the status if it changed."""
        state = ReconcileState(
            self._platform.enforces,
            ctx.spec,
            ctx.inputs,
            ctx.desired,
            ctx.live,
            ctx.problems,
            ctx.deletion,
            ctx.recovered,
            ctx.migrated,
            ctx.unknown_fields,
            self._standing_by(),
        )
        old, new = ctx.tenant.get("status") or {}, status.report(ctx.tenant, state, self._clock())
        if new != old:
            await self._platform.write_status(ctx.tenant, new)
            ctx.tenant = {**ctx.tenant, "status": new}
            await self._post_event(ctx.tenant, old, new)
        again = [due_in] if due_in is not None else []
        again += ctx.paused
        if any(isinstance(key, ObjectRef) for key in ctx.problems):
            again.append(RETRY_PROBLEM_SECONDS)
        return Outcome(min(again, default=None))

    async def _report_unexpected(self, tenant: Object, problem: UnexpectedError) -> None:
        """Only the summary changes: the pass found out nothing reliable about the parts."""
        state = ReconcileState(self._platform.enforces, interrupted=problem)
        new = status.report(tenant, state, self._clock())
        if new != tenant.get("status"):
            await self._platform.write_status(tenant, new)

    async def _post_event(self, tenant: Object, old: Object, new: Object) -> None:
        """An event when the tenant became ready, or stopped being so."""
        before, after = _ready(old), _ready(new)
        if after and (before or {}).get("status") != after["status"] and after["status"] != "Unknown":
            kind: Literal["Normal", "Warning"] = "Normal" if after["status"] == "True" else "Warning"
            await self._platform.event(tenant, kind, Reason.of(after["reason"]), after["message"])


def _blocked_namespace(ctx: ReconcileContext) -> Problem | None:
    """Why nothing can be created in the namespace that exists; then no backend is asked to change anything either."""
    if ctx.namespace is None or ctx.namespace_is_usable:
        return None
    if ctx.namespace["metadata"].get("deletionTimestamp"):
        name = ctx.namespace["metadata"]["name"]
        return NamespaceTerminating(
            f"The namespace {name} is terminating; the tenant waits until it is deleted, then it is created again. "
            f"If that lasts, `kubectl get namespace {name} -o yaml` shows what holds it up."
        )
    try:
        check_owner(ctx.namespace, ctx.uid)
    except NotOwned as error:
        return error
    return None


def _ready(report: Object) -> Object | None:
    return next((each for each in report.get("conditions", ()) if each["type"] == "Ready"), None)
