"""The chart's admission policies at work, and an attacker with the operator's token."""

from collections.abc import Callable, Iterator
from copy import deepcopy

import pytest

from imghost_operator.platform import Object, ObjectRef
from support.audit_log import OPERATOR, AuditedKube
from support.impersonation import TENANT, Children, Impersonator
from support.tenants import UID, objects


@pytest.fixture(scope="module")
def release(install: Callable[..., None]) -> None:
    install()


@pytest.fixture(scope="module")
def thief(cluster: AuditedKube) -> Iterator[Impersonator]:
    """Has the token of the operator's service account, and so its rights."""
    made = Impersonator(cluster, OPERATOR)
    yield made
    made.close()


@pytest.fixture(scope="module")
def children(cluster: AuditedKube, release: None) -> Iterator[Children]:
    """Everything that is built for a tenant, by kind and name, its namespace stored."""
    tenant = {"apiVersion": "imghost.dev/v1", "kind": "ImageHostTenant", "metadata": {"name": TENANT}}
    stored = cluster.api.create(tenant).body
    built = objects(
        TENANT,
        api={
            "autoscaling": {"maxReplicas": 4},
            "env": [
                {"name": "LOG_LEVEL", "value": "debug"},
                {"name": "OTLP", "valueFrom": {"secretKeyRef": {"name": "tracing", "key": "url"}}},
            ],
        },
        worker={"volumes": [{"name": "x", "secret": {"secretName": "a"}}, {"name": "y", "configMap": {"name": "b"}}]},
        scheduling={
            "nodeSelector": {"kubernetes.io/arch": "arm64"},
            "tolerations": [{"key": "example.com/images", "operator": "Exists"}],
        },
    )
    made = {
        (ref.kind, _plain_name(ref)): _owned(manifest, stored["metadata"]["uid"]) for ref, manifest in built.items()
    }
    assert cluster.api.create(made["Namespace", f"imghost-{TENANT}"]).status == 201
    yield made
    cluster.kubectl("delete", "namespace", f"imghost-{TENANT}", "--timeout=40s")
    cluster.kubectl("delete", "imagehosttenant", TENANT)


@pytest.fixture
def mutable(children: Children) -> Children:
    """The same, free to be changed."""
    return deepcopy(children)


def _plain_name(ref: ObjectRef) -> str:
    return ref.name.rpartition("-")[0] if ref.kind == "Job" else ref.name


def _owned(manifest: Object, uid: str) -> Object:
    assert [owner["uid"] for owner in manifest["metadata"]["ownerReferences"]] == [UID]
    manifest["metadata"]["ownerReferences"][0]["uid"] = uid
    return manifest
