"""Runs the stored objects: Deployments and Jobs as processes, Services as listeners."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from imghost_local.documents import Documents
from imghost_local.jobs import Job
from imghost_local.objects import Objects
from imghost_local.pods import Pod, PodContext
from imghost_local.services import Port, Services
from imghost_local.workloads import Deployment
from imghost_operator.platform import ObjectRef


class Runtime:
    """`on_change` is called with the object whose status changed."""

    def __init__(
        self,
        objects: Objects,
        documents: Documents,
        context: PodContext,
        *,
        asked_ports: dict[str, int],
        on_change: Callable[[ObjectRef], None],
    ) -> None:
        self._objects, self._context, self._on_change = objects, context, on_change
        self._services = Services(documents, self._endpoints, asked=asked_ports)
        self._running: dict[ObjectRef, Deployment | Job] = {}

    def realise(self, ref: ObjectRef) -> None:
        """Start what the stored object describes, or update what runs for it."""
        running = self._running.get(ref)
        if isinstance(running, Deployment):
            running.notify()
        elif running is None and ref.kind == "Deployment":
            self._running[ref] = Deployment(ref, self._objects, self._context, self._on_change)
        elif running is None and ref.kind == "Job":
            self._running[ref] = Job(ref, self._objects, self._context, self._on_change)
        elif ref.kind == "HorizontalPodAutoscaler":
            scaled = self._running.get(ref._replace(kind="Deployment"))
            if isinstance(scaled, Deployment):
                scaled.notify()
        elif ref.kind == "Service":
            spec = (self._objects.get(ref) or {})["spec"]
            for port in spec["ports"]:
                self.url(Port(ref.namespace, ref.name, port["name"]), port["port"])

    def runs(self, ref: ObjectRef) -> bool:
        """Whether processes are started or kept for this object."""
        return ref in self._running

    async def stop(self, refs: Iterable[ObjectRef]) -> None:
        """End the processes of these objects, and wait for it."""
        stopped = [(ref, running) for ref in refs if (running := self._running.get(ref))]
        await asyncio.gather(*(running.close() for _, running in stopped))
        for ref, _ in stopped:
            self._running.pop(ref, None)

    async def close(self) -> None:
        """End every process and stop listening."""
        await asyncio.gather(*(running.close() for running in self._running.values()))
        await self._services.close()

    def pods(self, namespace: str) -> list[tuple[str, Pod]]:
        """The pods of a namespace, with the name of the workload each belongs to."""
        found = [running for ref, running in sorted(self._running.items()) if ref.namespace == namespace]
        return [
            (workload.key.name, pod) for workload in found if isinstance(workload, Deployment) for pod in workload.pods
        ]

    def url(self, port: Port, number: int) -> str:
        """A base URL on 127.0.0.1 that is listened on from this call on; `number` is the Service's port."""
        return self._services.url(port, number)

    def _endpoints(self, port: Port) -> Sequence[tuple[str, int]]:
        service = self._objects.get(ObjectRef("Service", port.namespace, port.service))
        if service is None:
            return []
        target = next(found["targetPort"] for found in service["spec"]["ports"] if found["name"] == port.name)
        selector = service["spec"]["selector"].items()
        return [
            (pod.address, pod.port(target))
            for ref, running in self._running.items()
            if ref.namespace == port.namespace and isinstance(running, Deployment)
            for pod in running.pods
            if pod.ready and selector <= pod.template["metadata"]["labels"].items()
        ]
