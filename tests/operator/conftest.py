"""What tests of the operator share."""

from collections.abc import Iterator

import pytest

from imghost_operator import crd
from support.kube import Kube
from support.kubeapi import KubeApi


@pytest.fixture(scope="module")
def cluster(kube: Kube) -> Iterator[KubeApi]:
    """A connection to a real API server that knows the resource as `crds/` has it; no tenant outlives the module."""
    kube.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=crd.text())
    kube.kubectl("wait", "--for=condition=Established", f"crd/{crd.PLURAL}.{crd.GROUP}", "--timeout=30s")
    api = KubeApi(kube)
    yield api
    tenants = f"/apis/{crd.API_VERSION}/{crd.PLURAL}"
    for tenant in api.request("GET", tenants).body["items"]:
        path = f"{tenants}/{tenant['metadata']['name']}"
        api.request("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
        api.request("DELETE", path)
    api.close()
