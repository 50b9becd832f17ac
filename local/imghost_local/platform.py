"""The operator's `Platform` on this machine: objects are stored here and, where they mean processes, run."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from imghost_core import logs
from imghost_local.addresses import Addresses
from imghost_local.documents import Documents
from imghost_local.environment import Lookup
from imghost_local.objects import Objects, now
from imghost_local.pods import Pod, PodContext
from imghost_local.runtime import Runtime
from imghost_local.services import Port
from imghost_operator import crd
from imghost_operator.errors import NotOwned, StaleObject, TenantGone
from imghost_operator.platform import Object, ObjectRef, owned_by
from imghost_operator.reasons import Reason
from imghost_operator.tenant_objects import TENANT_LABEL

_log = logs.get("imghost.local")


class LocalPlatform:
    """Stores tenants and their objects. `on_change` gets the name of a tenant when one of its objects changed."""

    makes_namespaces = True
    namespace = "imghost-system"
    enforces = frozenset({"ServiceAccount", "Secret", "ConfigMap", "Service", "Job", "Deployment"})

    def __init__(
        self,
        documents: Documents,
        *,
        pods: Path,
        logs: Path,
        asked_ports: dict[str, int],
        on_change: Callable[[str], None],
    ) -> None:
        self.objects = Objects(documents)
        self._on_change = on_change
        self._addresses = Addresses(documents.root)
        context = PodContext(pods, logs, self._addresses, self._lookup)
        self._runtime = Runtime(
            self.objects, documents, context, asked_ports=asked_ports, on_change=self._object_changed
        )
        self._removals: set[asyncio.Task[None]] = set()

    def resume(self, tenant: str) -> None:
        """Start what ran before for a tenant, as restarted nodes do."""
        for ref, stored in self.children(tenant).items():
            if ref.kind == "Deployment" and not self._runtime.runs(ref):
                self.objects.put({name: value for name, value in stored.items() if name != "status"})
            self._runtime.realise(ref)

    async def suspend(self, tenant: str) -> None:
        """End a tenant's processes; its objects and data are kept for the next start."""
        await self._runtime.stop(self.children(tenant))

    async def close(self) -> None:
        """End every process, then release ports and addresses. Objects stay."""
        await asyncio.gather(self._runtime.close(), *self._removals)
        self._addresses.close()

    def pods(self, namespace: str) -> list[tuple[str, Pod]]:
        """The pods of a namespace, with the name of the workload each belongs to."""
        return self._runtime.pods(namespace)

    # Called by `reconcile`.

    def children(self, tenant: str) -> dict[ObjectRef, Object]:
        """Every object that carries the tenant's label."""
        return {ref: obj for ref, obj in self.objects if _tenant_of(obj) == tenant}

    def endpoint(self, namespace: str, service: str, port_name: str, port: int) -> str:
        """A port of 127.0.0.1 that is listened on from this call on."""
        return self._runtime.url(Port(namespace, service, port_name), port)

    async def read(self, ref: ObjectRef) -> Object | None:
        """The object, or None."""
        return self.objects.get(ref)

    async def create(self, obj: Object) -> Object:
        """Store a new object; raises `StaleObject` if there is one."""
        if self.objects.get(ObjectRef.of(obj)):
            raise StaleObject(f"{ObjectRef.of(obj).name} exists already.")
        return self.objects.apply(obj)

    async def merge(self, live: Object, change: Object) -> Object:
        """Merge labels, annotations and data into this version of an object."""
        stored = self.objects.get(ObjectRef.of(live))
        if stored is None or stored["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise StaleObject("The object was changed meanwhile.")
        return self.objects.put(_merged(stored, change))

    async def apply(self, desired: Object, live: Object | None) -> Object:  # noqa: ARG002 - we hold the live one
        """Store it and run what it describes."""
        ref = ObjectRef.of(desired)
        existing = self.objects.get(ref)
        owners = desired["metadata"].get("ownerReferences", [])
        if existing and not all(owned_by(existing, owner["uid"]) for owner in owners):
            raise NotOwned(f"{ref.kind} {ref.name} exists already and has another owner.")
        stored = self.objects.apply(desired)
        self._runtime.realise(ref)
        return stored

    async def delete(self, live: Object) -> None:
        """Mark it as being deleted, and all in it when it is a namespace; it is removed when its processes ended."""
        stored = self.objects.get(ObjectRef.of(live))
        if stored is None or stored["metadata"]["uid"] != live["metadata"]["uid"]:
            return
        if live["kind"] == "Namespace":
            for ref, inner in self.objects:
                if ref.namespace == live["metadata"]["name"]:
                    self._remove(inner)
        self._remove(stored)

    async def write_status(self, tenant: Object, status: Mapping[str, Any]) -> None:
        """Replace the tenant's status."""
        self.objects.put({**self._tenant(tenant), "status": dict(status)})

    async def set_finalizers(self, tenant: Object, finalizers: list[str]) -> None:
        """Replace the tenant's finalizers."""
        stored = self._tenant(tenant)
        before = stored["metadata"].get("finalizers", [])
        if before != tenant["metadata"].get("finalizers", []):
            raise StaleObject("The tenant's finalizers have changed since they were read.")
        self.objects.put({**stored, "metadata": {**stored["metadata"], "finalizers": finalizers}})
        self._on_change(stored["metadata"]["name"])

    async def event(self, tenant: Object, kind: Literal["Normal", "Warning"], reason: Reason, message: str) -> None:
        """Write the event to the log: there are no event objects here."""
        write = _log.warning if kind == "Warning" else _log.info
        write(message, reason=reason, tenant=tenant["metadata"]["name"])

    # Called for the user's manifest.

    def tenants(self) -> dict[str, Object]:
        """All tenants by name, also suspended ones."""
        return {ref.name: stored for ref, stored in self.objects if ref.kind == crd.KIND}

    def tenant(self, name: str) -> Object | None:
        """The tenant of this name."""
        return self.objects.get(ObjectRef(crd.KIND, "", name))

    def submit(self, manifest: Object) -> None:
        """Create or replace a tenant, as `kubectl apply` would; the manifest is validated and complete."""
        before = self.tenant(manifest["metadata"]["name"])
        if before is None or before["spec"] != manifest["spec"]:
            self.objects.apply(manifest)
        self._on_change(manifest["metadata"]["name"])

    def _remove(self, stored: Object) -> None:
        if "deletionTimestamp" in stored["metadata"]:
            return
        self.objects.put({**stored, "metadata": {**stored["metadata"], "deletionTimestamp": now()}})
        task = asyncio.create_task(self._finish_removal(ObjectRef.of(stored)))
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)

    async def _finish_removal(self, ref: ObjectRef) -> None:
        await self._runtime.stop([ref])
        stored = self.objects.get(ref)
        self.objects.remove(ref)
        if stored:
            self._report_change(stored)

    def _tenant(self, tenant: Object) -> Object:
        stored = self.objects.get(ObjectRef.of(tenant))
        if stored is None or stored["metadata"]["uid"] != tenant["metadata"]["uid"]:
            raise TenantGone("The tenant no longer exists.")
        return stored

    def _lookup(self, namespace: str) -> Lookup:
        return lambda kind, name: self.objects.get(ObjectRef(kind, namespace, name))

    def _object_changed(self, ref: ObjectRef) -> None:
        if stored := self.objects.get(ref):
            self._report_change(stored)

    def _report_change(self, stored: Object) -> None:
        if tenant := _tenant_of(stored):
            self._on_change(tenant)


def _merged(old: Object, change: Object) -> Object:
    """A merge patch (RFC 7396) without removals."""
    return old | {
        key: _merged(old.get(key) or {}, value) if isinstance(value, dict) else value for key, value in change.items()
    }


def _tenant_of(obj: Object) -> str | None:
    tenant: str | None = obj["metadata"].get("labels", {}).get(TENANT_LABEL)
    return tenant
