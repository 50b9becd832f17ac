"""What is in the cluster, kept current by one list and one watch a kind.

Callbacks only say which tenant to look at. A relist computes the difference of the sets, so that what was deleted
while nobody watched is noticed too; what this process wrote itself is known by its version and wakes nobody.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from imghost_core import logs
from imghost_operator.errors import (
    ListExpired,
    NamespaceMissing,
    NamespaceNotListed,
    PlatformDown,
    PlatformRefused,
)
from imghost_operator.kubernetes_client import KubernetesClient
from imghost_operator.metrics import Metrics
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.tenant_objects import KINDS, MANAGED, TENANT_LABEL, namespace_of
from imghost_operator.tenant_objects.meta import tenant_of

_OURS = {"labelSelector": ",".join(f"{name}={value}" for name, value in MANAGED.items())}
_LONGEST_DELAY = 30.0

_log = logs.get("imghost.operator.cache")


class WatchScope(NamedTuple):
    """What one list and watch cover: a kind in the whole cluster, or in one namespace, or that namespace itself."""

    kind: str
    namespace: str = ""

    @property
    def place(self) -> dict[str, Any]:
        """Arguments of a list or watch; a namespace that others make is known by its name, not by our label."""
        if self.namespace and self.kind == "Namespace":
            return {"selectors": {"fieldSelector": f"metadata.name={self.namespace}"}}
        return {"namespace": self.namespace, "selectors": _OURS}

    def covers(self, key: ObjectRef) -> bool:
        """Whether an object is in it."""
        return key.kind == self.kind and self.namespace in {"", key.namespace or key.name}


class Informer:
    """The objects of all tenants. `changed` is called with a tenant's name when one of its objects is not as known.

    With `namespaces`, only these are looked into; one that cannot be read does not keep the others waiting.
    """

    def __init__(
        self,
        cluster: KubernetesClient,
        changed: Callable[[str], None],
        metrics: Metrics,
        *,
        kinds: Iterable[str] = KINDS,
        namespaces: Iterable[str] = (),
    ) -> None:
        self._cluster, self._changed, self._metrics = cluster, changed, metrics
        self._namespaces = frozenset(namespaces)
        self._by_tenant: dict[str, dict[ObjectRef, Object]] = defaultdict(dict)
        self._tenant_of: dict[ObjectRef, str] = {}
        scopes = (WatchScope(kind, place) for kind in sorted(kinds) for place in sorted(self._namespaces) or [""])
        self._touchd: dict[WatchScope, float] = dict.fromkeys(scopes, float("-inf"))
        self._denied: dict[WatchScope, PlatformRefused | None] = dict.fromkeys(self._touchd)
        self.synced = asyncio.Event()
        """Set once every kind has been listed wherever that is allowed."""

    @property
    def is_limited(self) -> bool:
        """Whether only listed namespaces are looked into."""
        return bool(self._namespaces)

    async def run(self) -> None:
        """Keep the cache current for ever."""
        async with asyncio.TaskGroup() as group:
            for scope in self._touchd:
                group.create_task(self._follow(scope), name=f"watch {' '.join(scope)}")

    def check_namespace(self, tenant: str) -> None:
        """Raise `NamespaceNotListed`, `PlatformRefused` or `NamespaceMissing` if a tenant cannot be looked into."""
        if not self.is_limited:
            return
        name = namespace_of(tenant)
        if name not in self._namespaces:
            raise NamespaceNotListed(
                f"The operator may work in listed namespaces only, and {name} is not among them. Have it made, "
                "then add it to `namespaces` of the chart's values."
            )
        if refusal := next((it for scope, it in self._denied.items() if it and scope.namespace == name), None):
            raise refusal
        if ObjectRef("Namespace", "", name) not in self._tenant_of:
            raise NamespaceMissing(f"The namespace {name} does not exist, and this operator makes none. Have it made.")

    def children(self, tenant: str) -> dict[ObjectRef, Object]:
        """The objects of a tenant; the dict is a copy, the objects are not."""
        return dict(self._by_tenant.get(tenant, ()))

    def put(self, obj: Object) -> None:
        """Take note of an object that this process has just written."""
        self._store(obj, wake=False)

    def age(self, kind: str) -> float:
        """Seconds since the list or watch of a kind last said anything, wherever it is allowed."""
        heard = [
            at
            for scope, at in self._touchd.items()
            if scope.kind == kind and not (scope.namespace and self._denied.get(scope))
        ]
        return time.monotonic() - min(heard) if heard else 0.0

    def ages(self) -> dict[str, float]:
        """The same of every kind."""
        return {kind: self.age(kind) for kind in sorted({scope.kind for scope in self._touchd})}

    async def _follow(self, scope: WatchScope) -> None:
        version, delay = "", 0.5
        while True:
            try:
                if not version:
                    version = await self._list(scope)
                async for event, obj in self._cluster.watch(scope.kind, version, **scope.place):
                    delay = 0.5
                    self._touch(scope)
                    version = obj["metadata"]["resourceVersion"]
                    self._take(event, obj)
            except ListExpired:
                version = ""
            except (PlatformDown, PlatformRefused) as error:
                if isinstance(error, PlatformRefused):
                    version = ""
                    self._read(scope, error)
                where = {"kind": scope.kind, "namespace": scope.namespace or "*"}
                _log.warning("watch interrupted", **where, detail=error.detail, retry_in=delay)
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
                delay = min(delay * 2, _LONGEST_DELAY)

    async def _list(self, scope: WatchScope) -> str:
        objects, version = await self._cluster.list(scope.kind, **scope.place)
        self._metrics.relists.labels(scope.kind).inc()
        present = {ObjectRef.of(obj) for obj in objects}
        for key in [key for key in self._tenant_of if scope.covers(key) and key not in present]:
            if _version(self._known(key)) <= int(version):  # what we wrote after the list is not in it
                self._drop(key)
        for obj in objects:
            self._store(obj, wake=True)
        self._touch(scope)
        self._read(scope, None)
        return version

    def _read(self, scope: WatchScope, refusal: PlatformRefused | None) -> None:
        """Take note of whether a scope can be read."""
        before = self._denied.get(scope)
        if refusal:
            self._denied[scope] = refusal
        else:
            self._denied.pop(scope, None)
        if scope.namespace and bool(before) != bool(refusal):
            self._changed(tenant_of(scope.namespace))
        if all(it and scope.namespace for scope, it in self._denied.items()):
            self.synced.set()

    def _take(self, event: str, obj: Object) -> None:
        if event in {"ADDED", "MODIFIED"}:
            self._store(obj, wake=True)
        elif event == "DELETED":
            key = ObjectRef.of(obj)
            if key in self._tenant_of and _version(obj) >= _version(self._known(key)):
                self._drop(key)

    def _store(self, obj: Object, *, wake: bool) -> None:
        key = ObjectRef.of(obj)
        tenant = self._owner_of(obj)
        before = self._tenant_of.get(key)
        if before is not None and _version(obj) <= _version(self._known(key)):
            return
        if before not in {None, tenant}:
            self._drop(key)
        obj = _lean(obj)
        is_news = _meaning(obj) != _meaning(self._by_tenant[tenant].get(key))
        self._by_tenant[tenant][key], self._tenant_of[key] = obj, tenant
        if wake and is_news:
            self._changed(tenant)

    def _owner_of(self, obj: Object) -> str:
        if self.is_limited and obj["kind"] == "Namespace":
            return tenant_of(obj["metadata"]["name"])
        return str((obj["metadata"].get("labels") or {}).get(TENANT_LABEL, ""))

    def _drop(self, key: ObjectRef) -> None:
        tenant = self._tenant_of.pop(key)
        del self._by_tenant[tenant][key]
        if not self._by_tenant[tenant]:
            del self._by_tenant[tenant]
        self._changed(tenant)

    def _known(self, key: ObjectRef) -> Object:
        return self._by_tenant[self._tenant_of[key]][key]

    def _touch(self, scope: WatchScope) -> None:
        self._touchd[scope] = time.monotonic()


def _lean(obj: Object) -> Object:
    """The object without what nobody here reads; an autoscaler's measurements would be news four times a minute."""
    obj["metadata"].pop("managedFields", None)
    if obj["kind"] == "HorizontalPodAutoscaler":
        obj.get("status", {}).pop("currentMetrics", None)
    return obj


def _meaning(obj: Object | None) -> Object:
    if obj is None:
        return {}
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}}


def _version(obj: Object) -> int:
    """Resource versions of one kind are whole numbers that grow (Kubernetes 1.35 says so, etcd always did)."""
    return int(obj["metadata"]["resourceVersion"])
