"""What is in the cluster, kept current by one list and one watch a kind.

Callbacks only say which tenant to look at. A relist computes the difference of the sets, so that what was deleted
while nobody watched is noticed too; what this process wrote itself is known by its version and wakes nobody.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from imghost_core import logs
from imghost_operator.build import KINDS, MANAGED, TENANT_LABEL
from imghost_operator.cluster import Cluster
from imghost_operator.errors import ListExpired, PlatformDown, PlatformRefused
from imghost_operator.metrics import Metrics
from imghost_operator.platform import Key, Object

_SELECTOR = ",".join(f"{name}={value}" for name, value in MANAGED.items())
_LONGEST_DELAY = 30.0

_log = logs.get("imghost.operator.cache")


class Cache:
    """The objects of all tenants. `changed` is called with a tenant's name when one of its objects is not as known."""

    def __init__(
        self, cluster: Cluster, changed: Callable[[str], None], metrics: Metrics, *, kinds: Iterable[str] = KINDS
    ) -> None:
        self._cluster, self._changed, self._metrics = cluster, changed, metrics
        self._by_tenant: dict[str, dict[Key, Object]] = defaultdict(dict)
        self._tenant_of: dict[Key, str] = {}
        self._heard: dict[str, float] = dict.fromkeys(sorted(kinds), float("-inf"))
        self._unsynced = set(self._heard)
        self.synced = asyncio.Event()
        """Set once every kind has been listed."""

    async def run(self) -> None:
        """Keep the cache current for ever."""
        async with asyncio.TaskGroup() as group:
            for kind in self._heard:
                group.create_task(self._follow(kind), name=f"watch {kind}")

    def children(self, tenant: str) -> dict[Key, Object]:
        """The objects of a tenant; the dict is a copy, the objects are not."""
        return dict(self._by_tenant.get(tenant, ()))

    def put(self, obj: Object) -> None:
        """Take note of an object that this process has just written."""
        self._store(obj, wake=False)

    def age(self, kind: str) -> float:
        """Seconds since the list or watch of a kind last said anything."""
        return time.monotonic() - self._heard[kind]

    def ages(self) -> dict[str, float]:
        """The same of every kind."""
        return {kind: self.age(kind) for kind in self._heard}

    async def _follow(self, kind: str) -> None:
        version, delay = "", 0.5
        while True:
            try:
                if not version:
                    version = await self._list(kind)
                async for event, obj in self._cluster.watch(kind, version, selector=_SELECTOR):
                    delay = 0.5
                    self._hear(kind)
                    version = obj["metadata"]["resourceVersion"]
                    self._take(event, obj)
            except ListExpired:
                version = ""
            except (PlatformDown, PlatformRefused) as error:
                _log.warning("watch interrupted", kind=kind, detail=error.detail, retry_in=delay)
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
                delay = min(delay * 2, _LONGEST_DELAY)

    async def _list(self, kind: str) -> str:
        objects, version = await self._cluster.list(kind, selector=_SELECTOR)
        self._metrics.relists.labels(kind).inc()
        present = {Key.of(obj) for obj in objects}
        for key in [key for key in self._tenant_of if key.kind == kind and key not in present]:
            if _version(self._known(key)) <= int(version):  # what we wrote after the list is not in it
                self._drop(key)
        for obj in objects:
            self._store(obj, wake=True)
        self._hear(kind)
        self._unsynced.discard(kind)
        if not self._unsynced:
            self.synced.set()
        return version

    def _take(self, event: str, obj: Object) -> None:
        if event in {"ADDED", "MODIFIED"}:
            self._store(obj, wake=True)
        elif event == "DELETED":
            key = Key.of(obj)
            if key in self._tenant_of and _version(obj) >= _version(self._known(key)):
                self._drop(key)

    def _store(self, obj: Object, *, wake: bool) -> None:
        key = Key.of(obj)
        tenant = (obj["metadata"].get("labels") or {}).get(TENANT_LABEL, "")
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

    def _drop(self, key: Key) -> None:
        tenant = self._tenant_of.pop(key)
        del self._by_tenant[tenant][key]
        if not self._by_tenant[tenant]:
            del self._by_tenant[tenant]
        self._changed(tenant)

    def _known(self, key: Key) -> Object:
        return self._by_tenant[self._tenant_of[key]][key]

    def _hear(self, kind: str) -> None:
        self._heard[kind] = time.monotonic()


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
