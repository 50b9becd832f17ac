"""One operator at a time, by a Lease (coordination.k8s.io/v1), as client-go's leader election does it.

A lease counts as free when it was not renewed for its duration by *our* clock, so clocks need not agree. A holder that
could not renew it for ten seconds stops writing, five seconds before another process may begin.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from imghost_core import logs
from imghost_operator import installations
from imghost_operator.crd.spec import DEFAULT_CLASS
from imghost_operator.errors import NotLeader, ObjectNotFound, PlatformDown, PlatformRefused, StaleObject
from imghost_operator.kubernetes_client import KubernetesClient
from imghost_operator.platform import Object

LEASE = "imghost-operator"
DURATION_SECONDS, RENEW_DEADLINE_SECONDS, RETRY_SECONDS = 15.0, 10.0, 2.0

_log = logs.get("imghost.operator.lease")


class LeaderElector:
    """This process's part in the election; `check` is the fence of its `KubernetesClient`.

    `installation` names the release that this process belongs to; empty: it reports nothing. `others_changed` is
    called while it leads, when another installation begins or stops to stand by.
    """

    def __init__(
        self,
        cluster: KubernetesClient,
        namespace: str,
        identity: str,
        operator_class: str = DEFAULT_CLASS,
        *,
        installation: str = "",
        others_changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._namespace, self._identity, self._clock = cluster, namespace, identity, clock
        self._name = lease_of(operator_class)
        self._lease: Object | None = None
        self._seen: tuple[tuple[object, object], float] = ((None, None), float("-inf"))
        self._renewed = self._reported = float("-inf")
        self._installation, self._others_changed = installation, others_changed
        self._others, self._standing_by = installations.Others(installation, clock), dict[str, str]()

    @property
    def standing_by(self) -> tuple[str, ...]:
        """The other installations of this class that wait while this process leads."""
        return tuple(sorted(self._standing_by))

    def check(self) -> None:
        """Raise `NotLeader` unless this process certainly holds the lease; also after it was suspended."""
        if self._clock() - self._renewed >= RENEW_DEADLINE_SECONDS:
            raise NotLeader("This operator does not hold the lease, or could not renew it in time.")

    async def acquire(self) -> None:
        """Wait until this process holds the lease."""
        is_logged = False
        while not await self.try_acquire():
            if not is_logged and (holder := self._seen[0][0]):
                _log.info("standing by: another operator of this class leads", leader=holder, lease=self._name)
                is_logged = True
            await asyncio.sleep(RETRY_SECONDS)
        _log.info("leading", identity=self._identity)

    async def renew_loop(self) -> None:
        """Renew until cancelled; raises `NotLeader` when the lease is lost."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            await self.try_renew()
            self.check()

    async def try_acquire(self) -> bool:
        """Take the lease if it is free; whether this process holds it now."""
        return await self._attempt(self._acquire)

    async def try_renew(self) -> bool:
        """Renew the lease; whether that succeeded."""
        return await self._attempt(self._renew)

    async def release(self) -> None:
        """Give up the lease, so that the next operator need not wait."""
        if self._lease is not None and _spec(self._lease).get("holderIdentity") == self._identity:
            self._renewed = float("-inf")
            await self._attempt(lambda: self._write({**_spec(self._lease or {}), "holderIdentity": "", **_times(1)}))

    async def _attempt(self, step: Callable[[], Awaitable[bool]]) -> bool:
        try:
            async with asyncio.timeout(RENEW_DEADLINE_SECONDS / 2):
                return await step()
        except (StaleObject, ObjectNotFound, PlatformDown, PlatformRefused, TimeoutError) as error:
            _log.warning("lease not written", reason=type(error).__name__)
            return False

    async def _acquire(self) -> bool:
        try:
            lease = await self._cluster.get("Lease", self._namespace, self._name)
        except ObjectNotFound:
            return await self._create()
        spec = _spec(lease)
        mark = (spec.get("holderIdentity"), spec.get("renewTime"))
        if mark != self._seen[0]:
            self._seen = (mark, self._clock())
        duration = float(spec.get("leaseDurationSeconds") or DURATION_SECONDS)
        is_free = not spec.get("holderIdentity") or self._clock() - self._seen[1] > duration
        if not is_free and spec["holderIdentity"] != self._identity:
            await self._report_waiting(lease)
            return False
        self._lease, self._standing_by = lease, self._others.look(lease)  # as the last leader left it
        transitions = int(spec.get("leaseTransitions") or 0) + 1
        return await self._write(self._holding() | {"acquireTime": _now(), "leaseTransitions": transitions})

    async def _report_waiting(self, lease: Object) -> None:
        """Report to the leader, if it is of another installation, that this one stands by."""
        leader = installations.leader_of(lease)
        is_recent = self._clock() - self._reported < installations.REPORT_SECONDS
        if is_recent or not self._installation or leader in {"", self._installation}:
            return
        marks = installations.waiting(lease) | {self._installation: _now()}
        await self._cluster.replace({**installations.annotate(lease, leader, marks), "kind": "Lease"})
        self._reported = self._clock()

    async def _renew(self) -> bool:
        before, self._standing_by = self.standing_by, self._others.look(self._lease or {})
        if self.standing_by != before:
            names = ", ".join(self.standing_by) or "none"
            _log.warning("other installations of this class stand by", installations=names, lease=self._name)
            self._others_changed()
        return await self._write({**_spec(self._lease or {}), **_times(DURATION_SECONDS)})

    async def _create(self) -> bool:
        body = self._holding() | {"acquireTime": _now(), "leaseTransitions": 0}
        started = self._clock()
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": body,
        }
        self._lease = await self._cluster.create(installations.annotate(lease, self._installation, {}))
        self._renewed = started
        return True

    async def _write(self, spec: Object) -> bool:
        started = self._clock()
        try:
            lease = installations.annotate(self._lease or {}, self._installation, self._standing_by)
            self._lease = await self._cluster.replace({**lease, "kind": "Lease", "spec": spec})
        except StaleObject:
            # The response to our own write may have been lost, or another operator took over: only the server knows.
            self._lease = await self._cluster.get("Lease", self._namespace, self._name)
            if _spec(self._lease).get("holderIdentity") != self._identity:
                self._renewed = float("-inf")
            return False
        if spec.get("holderIdentity") == self._identity:
            self._renewed = started
        return True

    def _holding(self) -> Object:
        return {"holderIdentity": self._identity, **_times(DURATION_SECONDS)}


def lease_of(operator_class: str) -> str:
    """The name of the Lease of an operator class: one operator leads for each."""
    return LEASE if operator_class == DEFAULT_CLASS else f"{LEASE}-{operator_class}"


def _spec(lease: Object) -> Object:
    return dict(lease.get("spec") or {})


def _times(duration: float) -> Object:
    return {"leaseDurationSeconds": int(duration), "renewTime": _now()}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
