"""Tenants of a running cluster, each fresh, reached as their users reach them."""

import secrets
from collections.abc import Callable
from time import monotonic
from typing import Any

import httpx
import yaml

from imghost_dev.cluster.install import BUCKET, GATEWAY, Installation, with_urls
from imghost_dev.cluster.kubectl import Object
from imghost_dev.images import CHECKOUT
from imghost_operator.provision.database import database_name
from imghost_operator.tenant_contract import PUBLIC_PORTS
from support.e2e.backends import Backends, values
from support.e2e.client import PAUSE, Client
from support.e2e.figures import Figures
from support.e2e.objects import Objects
from support.eventually import eventually

SAMPLES = CHECKOUT / "manifests" / "samples"
PREFIX = "e2e-"
READY_WITHIN = 120
DELETED_WITHIN = 120
_PORTS = range(30100, 32700, len(PUBLIC_PORTS))


class ClusterTenant:
    """One tenant: its objects, and a client of its services."""

    def __init__(self, name: str, objects: Objects, http: httpx.AsyncClient, urls: dict[str, str]) -> None:
        self.name, self.namespace = name, f"imghost-{name}"
        self._objects, self._http, self.urls = objects, http, urls

    @property
    def client(self) -> Client:
        """A client that has asked nothing yet."""
        return self.client_with(PAUSE)

    def client_with(self, pause: float) -> Client:
        """A client that sends again after this many seconds."""
        return Client(self._http, self.urls, pause)

    @property
    def database(self) -> str:
        """The name of its database."""
        return database_name(self.name)

    def stored(self, backends: Backends) -> list[str]:
        """The keys of all its objects in the store, of every version."""
        found = backends.whole_store().list_objects(BUCKET, f"{self.name}/", recursive=True, include_version=True)
        return [str(item.object_name) for item in found]

    @property
    def now(self) -> Object:
        """The custom resource."""
        return self._objects.get("ImageHostTenant", self.name)

    def exists(self) -> bool:
        return self._objects.find("ImageHostTenant", self.name) is not None

    def edit(self, **spec: Any) -> None:
        """Change the spec."""
        self._objects.patch("ImageHostTenant", self.name, {"spec": spec})

    def delete(self) -> None:
        """Ask for the tenant's end."""
        self._objects.delete("ImageHostTenant", self.name)

    def get(self, kind: str, name: str) -> Object:
        """An object of the tenant's namespace."""
        return self._objects.get(kind, name, self.namespace)

    def children(self, kind: str) -> list[Object]:
        """All objects of a kind in the tenant's namespace."""
        return self._objects.list(kind, self.namespace)

    def pods(self, component: str = "") -> list[Object]:
        """Pods of the tenant, or of one of its components, that are not ending."""
        labels = f"app.kubernetes.io/component={component}" if component else ""
        found = self._objects.list("Pod", self.namespace, labels)
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def gateways(self) -> list[Object]:
        """The pods between the node's ports and the tenant."""
        return self._objects.list("Pod", GATEWAY, f"tenant={self.name}")

    def secret(self, name: str) -> dict[str, str]:
        """The values of a Secret."""
        return values(self.get("Secret", name))

    def condition(self, kind: str) -> dict[str, Any]:
        """A condition of the present generation; empty while there is none."""
        now = self.now
        return next(
            (
                condition
                for condition in now.get("status", {}).get("conditions", ())
                if condition["type"] == kind and condition.get("observedGeneration") == now["metadata"]["generation"]
            ),
            {},
        )

    async def until(self, kind: str, status: str = "True", reason: str = "", within: float = READY_WITHIN) -> Object:
        """Wait for a condition."""

        def holds() -> Object:
            seen = self.condition(kind)
            assert seen.get("status") == status, self.now.get("status", {}).get("conditions")
            assert not reason or seen["reason"] == reason, seen
            return seen

        return await eventually(holds, within=within, why=f"{self.name} has {kind}={status} {reason}")

    async def wait_until_settled(self) -> None:
        """Wait until every pod that is asked for is ready."""
        await self.until("Ready")
        await self.until("Progressing", "False", "Settled")

    async def wait_until_deleted(self, within: float = DELETED_WITHIN) -> None:
        """Wait until neither the tenant nor its namespace is left."""

        def nothing() -> bool:
            namespace = self._objects.find("Namespace", self.namespace)
            assert namespace is None, namespace["status"]
            return not self.exists()

        await eventually(nothing, within=within, why=f"{self.name} is deleted")


class Tenants:
    """Makes the tenants of one scenario and ends them with it."""

    def __init__(self, objects: Objects, installation: Installation, http: httpx.AsyncClient, figures: Figures) -> None:
        self._objects, self._installation, self._http, self._figures = objects, installation, http, figures
        self._made: list[ClusterTenant] = []

    async def ready(self, *, sample: str = "demo", name: str = "", **spec: Any) -> ClusterTenant:
        """A tenant of a sample manifest, with these fields of the spec instead, once it serves."""
        tenant = self.create(sample=sample, name=name, **spec)
        began = monotonic()
        await tenant.until("Ready")
        self._figures.add("apply → Ready", monotonic() - began)
        await eventually(self._gateway_serves(tenant), within=60, why=f"the gateway of {tenant.name} is ready")
        return tenant

    def create(self, *, sample: str = "demo", name: str = "", **spec: Any) -> ClusterTenant:
        """The same tenant as soon as it was asked for. No other tenant has its name, unless it is given."""
        manifest = yaml.safe_load((SAMPLES / f"{sample}.yaml").read_text())
        name = name or f"{PREFIX}{secrets.token_hex(3)}"
        first_port = self._free_port()
        self._installation.gateway(name, first_port)
        tenant = ClusterTenant(name, self._objects, self._http, self._installation.urls(first_port))
        self._made.append(tenant)
        manifest["metadata"]["name"] = name
        manifest["spec"] |= spec
        self._objects.create(with_urls(manifest, tenant.urls))
        return tenant

    def close(self) -> None:
        """Ask for the end of all of them, with their data."""
        for tenant in self._made:
            if tenant.exists():
                if not tenant.now["metadata"].get("deletionTimestamp"):
                    tenant.edit(deletionPolicy="Delete")
                tenant.delete()
            for kind in ("Deployment", "Service", "ConfigMap"):
                self._objects.delete(kind, tenant.name, GATEWAY)

    def _gateway_serves(self, tenant: ClusterTenant) -> Callable[[], bool]:
        def serves() -> bool:
            return bool(self._objects.get("Deployment", tenant.name, GATEWAY)["status"].get("readyReplicas"))

        return serves

    def _free_port(self) -> int:
        """The first of as many ports of the node as a gateway needs."""
        services = self._objects.list("Service")
        taken = {port.get("nodePort") for service in services for port in service["spec"].get("ports", ())}
        return next(first for first in _PORTS if not taken & set(range(first, first + len(PUBLIC_PORTS))))
