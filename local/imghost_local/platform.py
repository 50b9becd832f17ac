"""The operator's `Platform` on this machine: objects are stored here and, where they mean processes, realised."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from imghost_core import logs
from imghost_local.addresses import Addresses
from imghost_local.environment import Lookup
from imghost_local.jobs import Job
from imghost_local.objects import Objects, now
from imghost_local.pods import Ground, Pod
from imghost_local.services import Port, Services
from imghost_local.state import State
from imghost_local.workloads import Deployment
from imghost_operator import crd
from imghost_operator.errors import NotOwned, StaleObject, TenantGone
from imghost_operator.platform import Object, ObjectRef, owned_by
from imghost_operator.tenant_objects import TENANT_LABEL

_log = logs.get("imghost.local")


class LocalPlatform:
    """Holds tenants, their objects and what runs for them. `woken` is told the tenant when something of it changed."""

    makes_namespaces = True
    enforces = frozenset({"ServiceAccount", "Secret", "ConfigMap", "Service", "Job", "Deployment"})

    def __init__(self, state: State, *, asked_ports: dict[str, int], woken: Callable[[str], None]) -> None:
        self.objects = Objects(state)
        self._woken = woken
        self._addresses = Addresses(state.root)
        self._ground = Ground(state, self._addresses, self._lookup)
        self._services = Services(state, self._endpoints, asked=asked_ports)
        self._running: dict[ObjectRef, Deployment | Job] = {}
        self._endings: set[asyncio.Task[None]] = set()

    def resume(self, tenant: str) -> None:
        """Start what ran before for a tenant, as nodes that come back do, without waiting for anybody to ask."""
        for key, stored in self.children(tenant).items():
            if key.kind == "Deployment" and key not in self._running:
                self.objects.put({name: value for name, value in stored.items() if name != "status"})
            self._realise(key)

    async def rest(self, tenant: str) -> None:
        """End a tenant's processes; its objects and data stay for when it is wanted again."""
        resting = [key for key in self.children(tenant) if key in self._running]
        await asyncio.gather(*(self._running.pop(key).close() for key in resting))

    async def close(self) -> None:
        """End every process, then let go of ports and addresses. Objects stay."""
        await asyncio.gather(*(running.close() for running in self._running.values()), *self._endings)
        await self._services.close()
        self._addresses.close()

    def pods(self, namespace: str) -> list[tuple[str, Pod]]:
        """The pods of a namespace, with the name of the workload each belongs to."""
        found = [running for key, running in sorted(self._running.items()) if key.namespace == namespace]
        return [(it.key.name, pod) for it in found if isinstance(it, Deployment) for pod in it.pods]

    # What `reconcile` calls.

    def children(self, tenant: str) -> dict[ObjectRef, Object]:
        """Every object that carries the tenant's label."""
        return {key: it for key, it in self.objects if it["metadata"].get("labels", {}).get(TENANT_LABEL) == tenant}

    def endpoint(self, namespace: str, service: str, port_name: str, port: int) -> str:
        """A port of 127.0.0.1 that is listened on from this call on."""
        return self._services.url(Port(namespace, service, port_name), port)

    async def apply(self, desired: Object, live: Object | None) -> Object:  # noqa: ARG002 - we hold the live one
        """Store it and set to work what it describes."""
        key = ObjectRef.of(desired)
        existing = self.objects.get(key)
        owners = desired["metadata"].get("ownerReferences", [])
        if existing and not all(owned_by(existing, owner["uid"]) for owner in owners):
            raise NotOwned(f"{key.kind} {key.name} exists already and belongs to somebody else.")
        stored = self.objects.apply(desired)
        self._realise(key)
        return stored

    async def delete(self, live: Object) -> None:
        """Mark it, and all in it when it is a namespace, as being deleted; it goes when its processes have ended."""
        stored = self.objects.get(ObjectRef.of(live))
        if stored is None or stored["metadata"]["uid"] != live["metadata"]["uid"]:
            return
        if live["kind"] == "Namespace":
            for key, inner in self.objects:
                if key.namespace == live["metadata"]["name"]:
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
            raise StaleObject("The tenant's finalizers are no longer those that were looked at.")
        self.objects.put({**stored, "metadata": {**stored["metadata"], "finalizers": finalizers}})
        self._woken(stored["metadata"]["name"])

    async def event(self, tenant: Object, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """A line in the log, which is where people look here."""
        write = _log.warning if kind == "Warning" else _log.info
        write(message, reason=reason, tenant=tenant["metadata"]["name"])

    # What the user's manifest does.

    def tenants(self) -> dict[str, Object]:
        """All tenants by name, also those that rest."""
        return {key.name: stored for key, stored in self.objects if key.kind == crd.KIND}

    def tenant(self, name: str) -> Object | None:
        """The tenant of this name."""
        return self.objects.get(ObjectRef(crd.KIND, "", name))

    def submit(self, manifest: Object) -> None:
        """Create or replace a tenant, as `kubectl apply` would; the manifest is checked and complete."""
        before = self.tenant(manifest["metadata"]["name"])
        if before is None or before["spec"] != manifest["spec"]:
            self.objects.apply(manifest)
        self._woken(manifest["metadata"]["name"])

    # How objects become real.

    def _realise(self, key: ObjectRef) -> None:
        running = self._running.get(key)
        if isinstance(running, Deployment):
            running.poke()
        elif running is None and key.kind == "Deployment":
            self._running[key] = Deployment(key, self.objects, self._ground, self._child_changed)
        elif running is None and key.kind == "Job":
            self._running[key] = Job(key, self.objects, self._ground, self._child_changed)
        elif key.kind == "HorizontalPodAutoscaler":
            scaled = self._running.get(key._replace(kind="Deployment"))
            if isinstance(scaled, Deployment):
                scaled.poke()
        elif key.kind == "Service":
            spec = (self.objects.get(key) or {})["spec"]
            for port in spec["ports"]:
                self.endpoint(key.namespace, key.name, port["name"], port["port"])

    def _remove(self, stored: Object) -> None:
        key = ObjectRef.of(stored)
        if "deletionTimestamp" in stored["metadata"]:
            return
        self.objects.put(_deleted(stored))
        task = asyncio.create_task(self._removed(key))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _removed(self, key: ObjectRef) -> None:
        if running := self._running.get(key):
            await running.close()
            self._running.pop(key)
        stored = self.objects.get(key)
        self.objects.remove(key)
        if stored:
            self._wake(stored)

    def _tenant(self, tenant: Object) -> Object:
        stored = self.objects.get(ObjectRef.of(tenant))
        if stored is None or stored["metadata"]["uid"] != tenant["metadata"]["uid"]:
            raise TenantGone("The tenant no longer exists.")
        return stored

    def _lookup(self, namespace: str) -> Lookup:
        return lambda kind, name: self.objects.get(ObjectRef(kind, namespace, name))

    def _endpoints(self, port: Port) -> Sequence[tuple[str, int]]:
        service = self.objects.get(ObjectRef("Service", port.namespace, port.service))
        if service is None:
            return []
        target = next(it["targetPort"] for it in service["spec"]["ports"] if it["name"] == port.name)
        selector = service["spec"]["selector"].items()
        return [
            (pod.address, pod.port(target))
            for key, running in self._running.items()
            if key.namespace == port.namespace and isinstance(running, Deployment)
            for pod in running.pods
            if pod.ready and selector <= pod.template["metadata"]["labels"].items()
        ]

    def _child_changed(self, key: ObjectRef) -> None:
        if stored := self.objects.get(key):
            self._wake(stored)

    def _wake(self, stored: Object) -> None:
        if tenant := stored["metadata"].get("labels", {}).get(TENANT_LABEL):
            self._woken(tenant)


def _deleted(stored: Object) -> Object:
    return {**stored, "metadata": {**stored["metadata"], "deletionTimestamp": now()}}
