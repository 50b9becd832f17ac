"""The objects of all tenants as they are in the cluster, kept current by a reflector for each kind.

Callbacks only name the tenant to reconcile. Objects that this process wrote are recognized by their version and trigger
nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

from imghost_operator.errors import NamespaceMissing, NamespaceNotListed
from imghost_operator.kubernetes_client import KubernetesClient
from imghost_operator.metrics import Metrics
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.reflector import Reflector, WatchScope, version_of
from imghost_operator.tenant_objects import KINDS, TENANT_LABEL, namespace_of
from imghost_operator.tenant_objects.meta import tenant_of

_DELETIONS = 1000  # the latest ones, to recognize a response that is handled after the event of the deletion


class Informer:
    """The objects of all tenants. `changed` is called with a tenant's name when one of its objects changed.

    With `namespaces`, only these are watched, and the Secrets of `own_namespace`, which are the recovery Secrets; one
    that cannot be read does not delay the others.
    """

    def __init__(
        self,
        client: KubernetesClient,
        changed: Callable[[str], None],
        metrics: Metrics,
        *,
        kinds: Iterable[str] = KINDS,
        namespaces: Iterable[str] = (),
        own_namespace: str = "",
    ) -> None:
        self._changed = changed
        self._namespaces = frozenset(namespaces)
        self._by_tenant: dict[str, dict[ObjectRef, Object]] = defaultdict(dict)
        self._tenant_of: dict[ObjectRef, str] = {}
        self._deleted: dict[ObjectRef, int] = {}
        scopes = [WatchScope(kind, name) for kind in sorted(kinds) for name in sorted(self._namespaces) or [""]]
        if self._namespaces and own_namespace:
            scopes.append(WatchScope("Secret", own_namespace))
        self._reflectors = [Reflector(client, scope, self, metrics, self._note_access) for scope in scopes]
        self._unreadable: frozenset[str] = frozenset()
        self.synced = asyncio.Event()
        """Set once every kind has been listed wherever that is allowed."""

    @property
    def is_limited(self) -> bool:
        """Whether only listed namespaces are watched."""
        return bool(self._namespaces)

    async def run(self) -> None:
        """Keep the cache current until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(reflector.run(), name=f"watch {reflector.scope.kind} {reflector.scope.namespace}")

    def check_namespace(self, tenant: str) -> None:
        """Raise `NamespaceNotListed`, `PlatformRefused` or `NamespaceMissing` if a tenant's objects cannot be read."""
        if not self.is_limited:
            return
        name = namespace_of(tenant)
        if name not in self._namespaces:
            raise NamespaceNotListed(
                f"The operator may work in listed namespaces only, and {name} is not among them. Create it, "
                "then add it to `namespaces` of the chart's values."
            )
        for reflector in self._reflectors:
            if reflector.scope.namespace == name and reflector.refusal:
                raise reflector.refusal
        if ObjectRef("Namespace", "", name) not in self._tenant_of:
            raise NamespaceMissing(
                f"The namespace {name} does not exist, and this operator does not create namespaces; create it first."
            )

    def children(self, tenant: str) -> dict[ObjectRef, Object]:
        """The objects of a tenant; the dict is a copy, the objects are not."""
        return dict(self._by_tenant.get(tenant, ()))

    def put_local(self, obj: Object) -> None:
        """Store an object that this process has just written, unless its deletion was reported meanwhile."""
        self._store(obj, wake=False)

    def ages(self) -> dict[str, float]:
        """Seconds since the watches of a kind last returned anything, the longest of them; where reading is allowed."""
        found: dict[str, float] = {}
        for reflector in self._reflectors:
            is_readable = not (reflector.scope.namespace and reflector.refusal)
            age = reflector.age if is_readable else 0.0
            found[reflector.scope.kind] = max(found.get(reflector.scope.kind, 0.0), age)
        return found

    # Called by the reflectors.

    def replace(self, scope: WatchScope, objects: list[Object], version: int) -> None:
        """Replace the state of a scope by a list."""
        present = {ObjectRef.of(obj) for obj in objects}
        for ref in [ref for ref in self._tenant_of if scope.covers(ref) and ref not in present]:
            if version_of(self._known(ref)) <= version:  # what we wrote after the list is not in it
                self._forget(ref)
                self._note_deletion(ref, version)
        for obj in objects:
            self._store(obj, wake=True)

    def put(self, obj: Object) -> None:
        """Store an object that the watch returned."""
        self._store(obj, wake=True)

    def drop(self, obj: Object) -> None:
        """Forget an object that the watch reports as deleted."""
        ref = ObjectRef.of(obj)
        self._note_deletion(ref, version_of(obj))
        if ref in self._tenant_of and version_of(obj) >= version_of(self._known(ref)):
            self._forget(ref)

    def _note_access(self) -> None:
        """Reconcile tenants whose namespaces became readable or unreadable; set `synced` when all kinds are listed."""
        refused = {reflector.scope.namespace for reflector in self._reflectors if reflector.refusal}
        before, self._unreadable = self._unreadable, frozenset(refused - {""})
        for namespace in before ^ self._unreadable:
            self._changed(tenant_of(namespace))
        pending = [
            each for each in self._reflectors if not (each.is_listed or each.scope.namespace in self._unreadable)
        ]
        if not pending:
            self.synced.set()

    def _store(self, obj: Object, *, wake: bool) -> None:
        ref = ObjectRef.of(obj)
        if version_of(obj) <= self._deleted.get(ref, 0):
            return
        tenant = self._owner_of(obj)
        before = self._tenant_of.get(ref)
        if before is not None and version_of(obj) <= version_of(self._known(ref)):
            return
        if before not in {None, tenant}:
            self._forget(ref)
        obj = _lean(obj)
        is_news = _content(obj) != _content(self._by_tenant[tenant].get(ref))
        self._by_tenant[tenant][ref], self._tenant_of[ref] = obj, tenant
        if wake and is_news:
            self._changed(tenant)

    def _owner_of(self, obj: Object) -> str:
        if self.is_limited and obj["kind"] == "Namespace":
            return tenant_of(obj["metadata"]["name"])
        return str((obj["metadata"].get("labels") or {}).get(TENANT_LABEL, ""))

    def _note_deletion(self, ref: ObjectRef, version: int) -> None:
        self._deleted[ref] = max(version, self._deleted.pop(ref, 0))
        if len(self._deleted) > _DELETIONS:
            del self._deleted[next(iter(self._deleted))]

    def _forget(self, ref: ObjectRef) -> None:
        tenant = self._tenant_of.pop(ref)
        del self._by_tenant[tenant][ref]
        if not self._by_tenant[tenant]:
            del self._by_tenant[tenant]
        self._changed(tenant)

    def _known(self, ref: ObjectRef) -> Object:
        return self._by_tenant[self._tenant_of[ref]][ref]


def _lean(obj: Object) -> Object:
    """The object without fields that are never read, such as an autoscaler's measurements, which change every 15 s."""
    obj["metadata"].pop("managedFields", None)
    if obj["kind"] == "HorizontalPodAutoscaler":
        obj.get("status", {}).pop("currentMetrics", None)
    return obj


def _content(obj: Object | None) -> Object:
    """An object without its version, for comparison."""
    if obj is None:
        return {}
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}}
