"""A workbench for reconcile: real servers, a cache, and one tenant to make passes over."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from imghost_operator import kubeconfig
from imghost_operator.api_resources import RESOURCES
from imghost_operator.cluster_platform import ClusterPlatform
from imghost_operator.informer import Informer
from imghost_operator.kubernetes_client import KubernetesClient
from imghost_operator.metrics import Metrics
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.provision.database import PostgresBackend
from imghost_operator.provision.storage import MinioBackend
from imghost_operator.reconcile import Outcome, Reconciler
from support.eventually import eventually
from support.kube import Kube
from support.kubeapi import KubeApi
from support.minio import Minio
from support.operators import BUCKET, condition, manifest
from support.postgres import Postgres
from support.tenants import inputs
from support.workloads import Workloads

OPERATOR_NAMESPACE = "default"
MERGE = "application/merge-patch+json"
TENANTS = "/apis/imghost.dev/v1/imagehosttenants"


class ReconcileHarness:
    """A reconciler with its cache on real servers, and one tenant to work on."""

    def __init__(self, kube: Kube, postgres: Postgres, minio: Minio) -> None:
        self.kube, self.api = kube, KubeApi(kube)
        self.postgres, self.minio = postgres, minio
        self.name = f"t{secrets.token_hex(4)}"
        self.namespace = f"imghost-{self.name}"
        self.workloads = Workloads(kube, self.namespace)
        self.metrics = Metrics()
        self.databases = {"default": PostgresBackend(postgres.admin_url)}
        self.stores = {"default": MinioBackend(minio.endpoint, BUCKET, minio.access_key, minio.secret_key)}
        self.release = inputs().release
        self.late = timedelta()
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.woken: set[str] = set()
        self.noted: Callable[[Object], None] = lambda _: None

    @asynccontextmanager
    async def running(
        self, login: Path | None = None, namespaces: Sequence[str] = ()
    ) -> AsyncIterator["ReconcileHarness"]:
        """With a fresh cache that follows the cluster, as after a start of the operator; as administrator, or other."""
        async with KubernetesClient(kubeconfig.load(login or self.kube.kubeconfig), self.metrics) as cluster:
            self.cluster = cluster
            self.cache = Informer(
                cluster, self.woken.add, self.metrics, namespaces=namespaces, own_namespace=OPERATOR_NAMESPACE
            )
            following = asyncio.create_task(self.cache.run())
            try:
                await asyncio.wait_for(self.cache.synced.wait(), 20)
                self.reconciler = Reconciler(
                    ClusterPlatform(
                        cluster, self.cache, self.metrics, "test", self.noted, namespace=OPERATOR_NAMESPACE
                    ),
                    self.databases,
                    self.stores,
                    self.release,
                    clock=lambda: self.now() + self.late,
                )
                yield self
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    def create(self, **spec: Any) -> Object:
        response = self.api.create(manifest(self.name, **spec))
        assert response.status == 201, response.body
        return response.body

    def tenant(self) -> Object:
        return self.api.request("GET", f"{TENANTS}/{self.name}").body

    def edit(self, **spec: Any) -> None:
        response = self.api.request("PATCH", f"{TENANTS}/{self.name}", {"spec": spec}, MERGE)
        assert response.status == 200, response.body

    def get(self, key: ObjectRef) -> Object:
        """An object, which must be there."""
        response = self.api.request("GET", path(key))
        assert response.status == 200, response.body
        return response.body

    def patch(self, key: ObjectRef, body: object, kind: str = MERGE, manager: str = "kubectl-edit") -> None:
        response = self.api.request("PATCH", f"{path(key)}?fieldManager={manager}", body, kind)
        assert response.status == 200, response.body

    def delete(self, key: ObjectRef) -> None:
        response = self.api.request("DELETE", path(key))
        assert response.status in {200, 202}, response.body

    def exists(self, key: ObjectRef) -> bool:
        return self.api.request("GET", path(key)).status == 200

    def secret(self, name: str) -> dict[str, str]:
        """The values of one of the tenant's Secrets."""
        data = self.get(ObjectRef("Secret", self.namespace, name))["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def end(self) -> None:
        """Delete the tenant, as a person does."""
        assert self.api.request("DELETE", f"{TENANTS}/{self.name}").status == 200

    def events(self) -> set[str]:
        """Reasons of the events about the tenant."""
        found = self.api.request("GET", "/apis/events.k8s.io/v1/namespaces/default/events").body["items"]
        return {event["reason"] for event in found if event["regarding"].get("name") == self.name}

    async def one_pass(self) -> Outcome:
        return await self.reconciler.reconcile(self.tenant())

    async def ready(self) -> Object:
        """Passes, with pods played, until the tenant is ready and nothing is left to do."""

        async def settled() -> bool:
            await self.one_pass()
            self.workloads.play()
            tenant = self.tenant()
            done = condition(tenant, "Progressing").get("reason") == "Settled"
            return done and condition(tenant, "Ready").get("status") == "True"

        await eventually(settled, within=30, why="the tenant is ready")
        return self.tenant()

    async def until(self, check: Callable[[], bool], why: str) -> None:
        """Passes until something holds."""

        async def holds() -> bool:
            await self.one_pass()
            return check()

        await eventually(holds, within=20, why=why)

    async def calm(self) -> None:
        """Until the cache knows the newest version of every object."""

        def behind() -> list[ObjectRef]:
            cached = self.cache.children(self.name)
            newest = {key: self.api.request("GET", path(key)).body["metadata"] for key in cached}
            return [key for key, stored in newest.items() if stored["resourceVersion"] != version_of(cached[key])]

        await eventually(lambda: not behind(), why="the cache is current")

    def calls(self) -> dict[tuple[str, ...], float]:
        """API calls so far, apart from the watches."""
        samples = next(iter(self.metrics.api_requests.collect())).samples
        return {
            tuple(sample.labels.values()): sample.value
            for sample in samples
            if sample.name.endswith("_total") and sample.labels["verb"] not in {"watch", "list"}
        }

    def children(self) -> dict[ObjectRef, Object]:
        """What the cache knows of the tenant, without the copy of its credentials."""
        found = self.cache.children(self.name)
        return {key: obj for key, obj in found.items() if key.namespace != OPERATOR_NAMESPACE}

    def key(self, kind: str) -> ObjectRef:
        """The first object of a kind."""
        return min(key for key in self.children() if key.kind == kind)

    async def close(self) -> None:
        """Take the tenant away, whatever its state, with all that is outside the cluster."""
        self.kube.kubectl("delete", "iht", self.name, "--ignore-not-found", "--wait=false")
        response = self.api.request("PATCH", f"{TENANTS}/{self.name}", {"metadata": {"finalizers": None}}, MERGE)
        assert response.status in {200, 404}
        self.api.request("DELETE", path(ObjectRef("Secret", OPERATOR_NAMESPACE, f"imghost-recovery-{self.name}")))
        await PostgresBackend(self.postgres.admin_url).drop(self.name)
        self.workloads.close()
        self.api.close()


def path(key: ObjectRef) -> str:
    return RESOURCES[key.kind].path(key.namespace, key.name)


def version_of(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])
