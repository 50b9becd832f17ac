"""The operator as a real process, against real servers, and what the tests ask of it and of the cluster."""

import json
import signal
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from support.kube import Kube
from support.minio import Minio
from support.postgres import Postgres
from support.processes import HOST, Process, free_port

BUCKET = "operator-tests"
_CRDS = Path(__file__).parents[2] / "crds"


def environment(kube: Kube, postgres: Postgres, minio: Minio) -> dict[str, str]:
    """Settings of an operator for these servers, as a Deployment would give them."""
    store = {
        "kind": "s3",
        "endpoint": minio.endpoint,
        "bucket": BUCKET,
        "access_key": minio.access_key,
        "secret_key": minio.secret_key,
    }
    return {
        "IMGHOST_KUBECONFIG": str(kube.kubeconfig),
        "IMGHOST_DATABASES__DEFAULT__ADMIN_URL": postgres.admin_url,
        "IMGHOST_STORES": json.dumps({"default": store}),
        "IMGHOST_NAMESPACE": "default",
    }


class OperatorProcess:
    """One operator; `identity` distinguishes it from others in the lease."""

    def __init__(self, settings: Mapping[str, str], folder: Path, identity: str) -> None:
        self.port, self.log = free_port(), folder / f"{identity}.log"
        own = {"IMGHOST_OPS_PORT": str(self.port), "IMGHOST_IDENTITY": identity}
        self.process = Process([sys.executable, "-m", "imghost_operator"], self.log, env={**settings, **own})

    def is_ready(self) -> bool:
        """Whether it leads and its caches are synced."""
        return self.get("/readyz")[0] == 200 and self.leads()

    def leads(self) -> bool:
        """Whether it holds the lease."""
        return self.figure("imghost_operator_leader") == 1

    def calls(self) -> Counter[str]:
        """Calls of the Kubernetes API so far, as `verb kind`, without those that keep the lease and the watches."""
        found: Counter[str] = Counter()
        for sample in self._samples("imghost_operator_api_requests_total"):
            if sample.labels["kind"] != "Lease" and sample.labels["verb"] != "watch":
                found[f"{sample.labels['verb']} {sample.labels['kind']}"] += int(sample.value)
        return found

    def passes(self) -> int:
        """Passes over tenants so far."""
        return int(sum(sample.value for sample in self._samples("imghost_operator_reconcile_seconds_count")))

    def figure(self, name: str) -> float:
        """The sum of a metric's samples."""
        return float(sum(sample.value for sample in self._samples(name)))

    def get(self, path: str) -> tuple[int, str]:
        """Ask its ops listener; status 0 while the port is closed."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it as a pod's end, or as a crash would."""
        self.process.stop(how)

    def _samples(self, name: str) -> list[Any]:
        families = text_string_to_metric_families(self.get("/metrics")[1])
        return [sample for family in families for sample in family.samples if sample.name == name]


def install_crds(kube: Kube) -> None:
    """Make the API server know `ImageHostTenant` as it is now, whatever an earlier test made of it."""
    kube.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(_CRDS))
    kube.kubectl("wait", "--for=condition=Established", "--timeout=20s", "-f", str(_CRDS))


def manifest(name: str, **spec: Any) -> dict[str, Any]:
    """An ImageHostTenant as people write it."""
    return {
        "apiVersion": "imghost.dev/v1",
        "kind": "ImageHostTenant",
        "metadata": {"name": name},
        "spec": {"api": {"replicas": 2}, "imaging": {"replicas": 2}, **spec},
    }


def condition(tenant: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A condition of a tenant; empty while it has none of this type."""
    conditions = tenant.get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition["type"] == kind), {})
