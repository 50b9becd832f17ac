"""imghost in a cluster: PostgreSQL, MinIO, the operator from the chart, the demo tenant."""

import asyncio
import base64
import json
import secrets
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from imghost_dev import programs
from imghost_dev.cluster.kubectl import Kubectl, Object, manifest
from imghost_dev.cluster.provider import ClusterError, Provider, Times
from imghost_dev.images import CHECKOUT, DEPLOYABLES, Image
from imghost_local import demo
from imghost_local.documents import Documents
from imghost_operator.tenant_contract import PUBLIC_PORTS, in_cluster_url
from imghost_operator.tenant_objects import namespace_of

HERE = Path(__file__).parent
CHART = CHECKOUT / "charts" / "imghost"
DEMO = CHECKOUT / "manifests" / "samples" / "demo.yaml"
RELEASE = "imghost"
NAMESPACE = "imghost-system"
BACKENDS = "imghost-backends"
BUCKET = "imghost"
POSTGRES_HOST = f"postgres.{BACKENDS}.svc"
MINIO_ENDPOINT = f"http://minio.{BACKENDS}.svc:9000"
STORE_USER = "administrator"
GATEWAY = "imghost-gateway"
DEMO_PORTS = 30001  # of the node: the first of three, one for each of PUBLIC_PORTS
TENANT_READY_SECONDS = 90


class Installation:
    """What `make cluster` installs in a cluster; every step can be repeated and then changes only what differs."""

    def __init__(self, provider: Provider, times: Times) -> None:
        self._provider, self._times = provider, times
        self._images = provider.images(times)
        self.kubectl = Kubectl(provider.kubeconfig)
        self._built: dict[str, Image] = {}

    def everything(self) -> None:
        """Install everything, up to a demo tenant that is Ready."""
        self.load_images()
        self.backends()
        self.operator()
        self.demo()

    def load_images(self) -> None:
        """Build the images that changed and load them into the nodes."""
        with self._times.phase("images built"):
            self._built = {name: self._images.by_name(name) for name in self._images.names()}
        with self._times.phase("images loaded"):
            self._provider.load(list(self._built.values()))

    def backends(self) -> None:
        """PostgreSQL and MinIO, and the operator's Secrets for them."""
        with self._times.phase("PostgreSQL and MinIO ready"):
            objects = manifest(HERE / "backends.yaml", self._tags())
            namespace, *others = objects
            self.kubectl.apply([namespace, {**namespace, "metadata": {"name": NAMESPACE}}])
            self.kubectl.apply([*self._secrets(), *others])
            for name in ("postgres", "minio"):
                self._rolled_out(f"statefulset/{name}", BACKENDS)

    def operator(self, values: Mapping[str, Any] | None = None) -> None:
        """The operator from the chart with our images and backends; `values` go on top."""
        with self._times.phase("operator ready"):
            self.helm("upgrade", "--install", RELEASE, str(CHART), values={**self.values(), **(values or {})})
            for name in self._operators():
                self._rolled_out(f"deployment/{name}", NAMESPACE)

    def demo(self) -> None:
        """The sample tenant, open to the gateway, with the node's ports as its public addresses."""
        tenant = yaml.safe_load(DEMO.read_text())
        name = tenant["metadata"]["name"]
        with self._times.phase("demo tenant Ready, from its manifest on"):
            self.kubectl.apply([with_urls(tenant, self.urls())])
            self.gateway(name, DEMO_PORTS)
            self.wait_for_tenant(name)
        with self._times.phase("gateway ready"):
            self._rolled_out(f"deployment/{name}", GATEWAY)

    def first_image(self) -> dict[str, Any]:
        """A user with a key and a photograph in the demo tenant, as `imghost up` makes them; see its `demo.ensure`."""
        documents = Documents(self._provider.state / "demo")
        with self._times.phase("first image uploaded"):
            return asyncio.run(demo.ensure(documents, "demo", self.urls()))

    def urls(self, first_port: int = DEMO_PORTS) -> dict[str, str]:
        """Where a tenant's services are reached from this machine through its gateway: auth, upload, view."""
        return {name: f"http://{self._provider.address}:{first_port + i}" for i, name in enumerate(PUBLIC_PORTS)}

    def gateway(self, tenant: str, first_port: int) -> None:
        """A way from the node's ports, `first_port` and the next two, to the tenant's services."""
        namespace = namespace_of(tenant)
        routes = [
            f"{port.number}={in_cluster_url(namespace, name).removeprefix('http://')}"
            for name, port in PUBLIC_PORTS.items()
        ]
        ports = [
            {"name": name, "port": port.number, "nodePort": first_port + i}
            for i, (name, port) in enumerate(PUBLIC_PORTS.items())
        ]
        config, service, deployment = objects = manifest(HERE / "gateway.yaml", self._tags())
        for item in objects:
            item["metadata"]["name"] = tenant
        config["data"] = {"gateway.py": (HERE / "gateway.py").read_text()}
        service["spec"] |= {"selector": {"tenant": tenant}, "ports": ports}
        deployment["spec"]["selector"] = {"matchLabels": {"tenant": tenant}}
        template = deployment["spec"]["template"]
        template["metadata"] = {"labels": {"tenant": tenant}}
        template["spec"]["containers"][0]["args"] = routes
        template["spec"]["volumes"][0]["configMap"]["name"] = tenant
        self.kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": GATEWAY}}])
        self.kubectl.apply(objects)

    def values(self) -> dict[str, Any]:
        """The chart's values for these images and backends."""
        tags = {name: self._built[name].tag.rpartition(":")[2] for name in DEPLOYABLES}
        return {
            "databases": [{"name": "default", "secretName": "imghost-database", "secretKey": "url"}],
            "stores": [
                {
                    "name": "default",
                    "endpoint": MINIO_ENDPOINT,
                    "bucket": BUCKET,
                    "secretName": "imghost-store",
                    "accessKeyKey": "access-key",
                    "secretKeyKey": "secret-key",
                }
            ],
            "images": {
                "registry": self._images.repository,
                **{name: {"repository": name, "tag": tag} for name, tag in tags.items()},
            },
        }

    def helm(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        """Run Helm on our release's namespace; raises ClusterError with its error message."""
        program = programs.helm(self._times.say).path("helm")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump(values or {}, file)  # every JSON document is YAML
            file.flush()
            options = [f"--kubeconfig={self._provider.kubeconfig}", f"--namespace={NAMESPACE}"]
            options += [f"--values={file.name}"] if values else []
            done = subprocess.run([program, *arguments, *options], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ClusterError(f"helm {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def wait_for_tenant(self, name: str, within: int = TENANT_READY_SECONDS) -> None:
        """Until its condition Ready is true; raises ClusterError with the conditions that are not."""
        resource = f"imagehosttenants.imghost.dev/{name}"
        try:
            self.kubectl("wait", "--for=condition=Ready", resource, f"--timeout={within}s", within=within + 30)
        except ClusterError:
            conditions = self.kubectl.get(resource).get("status", {}).get("conditions", [])
            messages = [f"{c['type']}={c['status']} {c['reason']}: {c['message']}" for c in conditions]
            raise ClusterError(
                f"tenant {name} is not Ready after {within} s; its conditions:\n" + "\n".join(messages)
            ) from None

    def _tags(self) -> dict[str, str]:
        return {name: image.tag for name, image in self._built.items()}

    def _secrets(self) -> list[Object]:
        """One password for both servers, made once: reading the namespace's Secret makes an administrator."""
        password = self._password() or secrets.token_urlsafe(24)
        url = f"postgresql://postgres:{password}@{POSTGRES_HOST}:5432/postgres"
        store = {"access-key": STORE_USER, "secret-key": password}
        return [
            _secret("administrator", BACKENDS, {"password": password}),
            _secret("imghost-database", NAMESPACE, {"url": url}),
            _secret("imghost-store", NAMESPACE, store),
        ]

    def _password(self) -> str:
        data = self.kubectl(
            "get", "secret", "administrator", f"--namespace={BACKENDS}", "--ignore-not-found",
            "--output=jsonpath={.data.password}",
        )  # fmt: skip
        return base64.b64decode(data).decode()

    def _operators(self) -> list[str]:
        selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
        found = self.kubectl.get("deployments", f"--namespace={NAMESPACE}", selector)["items"]
        return [item["metadata"]["name"] for item in found]

    def _rolled_out(self, what: str, namespace: str) -> None:
        try:
            self.kubectl("rollout", "status", what, f"--namespace={namespace}", "--timeout=90s")
        except ClusterError as error:
            pods = self.kubectl("get", "pods", f"--namespace={namespace}", "--output=wide")
            raise ClusterError(f"{error}\n{pods}") from None


def with_urls(tenant: Object, urls: Mapping[str, str]) -> Object:
    """The tenant with these public addresses, its network open to the gateway."""
    public = {"auth": urls["auth"], "view": urls["view"], "cdn": urls["view"]}
    network = {"ingressFrom": [GATEWAY]}
    return {**tenant, "spec": {**tenant["spec"], "urls": public, "network": network}}


def _secret(name: str, namespace: str, data: Mapping[str, str]) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(data)}
