"""The operator may die at any moment."""

import json
from collections.abc import Callable

import pytest

from imghost_dev.cluster.install import NAMESPACE
from imghost_dev.cluster.kubectl import Object
from imghost_operator.leader_election import LEASE
from imghost_operator.provision.database import database_name
from support import sample_images
from support.e2e.backends import Backends
from support.e2e.crash import Crash
from support.e2e.figures import Figures
from support.e2e.objects import Objects
from support.e2e.tenants import ClusterTenant, Tenants
from support.eventually import eventually

# What is first seen of each wave.
WAVES = (
    ("Namespace", ""),
    ("Secret", "database-api"),
    ("NetworkPolicy", "default-deny"),
    ("Job", ""),
    ("Deployment", "api"),
    ("Service", "imaging"),
)
CONVERGES_WITHIN = 240


@pytest.mark.timeout(420)
async def test_a_tenant_converges_though_the_operator_is_killed(
    tenants: Tenants,
    crash: Crash,
    objects: Objects,
    backends: Backends,
    operators_renewed: None,
    figures: Figures,
) -> None:
    """SIGKILL for the acting operator in each wave of a tenant's making: it gets ready, and nothing is there twice."""
    tenant = tenants.create()
    for kind, name in WAVES:
        await eventually(
            _is_there(objects, tenant, kind, name), within=CONVERGES_WITHIN, every=0.005, why=f"{kind} {name} is made"
        )
        await eventually(lambda: crash.kill([_leader(objects)]), within=60, every=0.01, why="there is one to kill")
    with figures.measure("Ready after the operator's last kill -9"):
        await tenant.until("Ready", within=CONVERGES_WITHIN)
    await tenant.wait_until_settled()

    assert len(objects.list("Job", tenant.namespace)) == 2
    names = ("api", "imaging", "worker")
    assert [_number_of_templates(objects, tenant, name) for name in names] == [1, 1, 1]
    _is_provisioned_once(backends, tenant)
    account = await tenant.client.register()
    assert await tenant.client.upload_or_fail(account, sample_images.photo(640, 480))


def _is_there(objects: Objects, tenant: ClusterTenant, kind: str, name: str) -> Callable[[], bool]:
    if kind == "Namespace":
        return lambda: objects.find("Namespace", tenant.namespace) is not None
    if not name:
        return lambda: bool(objects.list(kind, tenant.namespace))
    return lambda: objects.find(kind, name, tenant.namespace) is not None


def _leader(objects: Objects) -> Object:
    """The pod that acts; the other one only waits for its lease."""
    return objects.get("Pod", objects.get("Lease", LEASE, "default")["spec"]["holderIdentity"], NAMESPACE)


def _number_of_templates(objects: Objects, tenant: ClusterTenant, component: str) -> int:
    """More than one would mean that settings or secrets were made a second time."""
    return len(objects.list("ReplicaSet", tenant.namespace, f"app.kubernetes.io/component={component}"))


def _is_provisioned_once(backends: Backends, tenant: ClusterTenant) -> None:
    database = database_name(tenant.name)
    assert backends.rows("SELECT count(*) FROM pg_database WHERE datname = %s", database) == [(1,)]
    roles = backends.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", f"{database}%")
    assert len(roles) == 3, roles
    for keys in backends.store_keys():
        own = [user for user in json.loads(keys) if user.startswith(f"iht-{tenant.name}-")]
        assert sorted(user.endswith("-imaging") for user in own) == [False, True], own
