"""Tenants in listed namespaces that others make: the operator works in them and leaves the namespaces alone."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from imghost_operator.errors import PlatformRefused
from imghost_operator.platform import ObjectRef
from imghost_operator.reconcile import FINALIZER
from support.eventually import eventually
from support.kube import Kube
from support.operators import condition
from support.reconcile_harness import MERGE, ReconcileHarness, path

CLOSED = {"pod-security.kubernetes.io/enforce": "restricted"}


def namespace_of(bench: ReconcileHarness) -> ObjectRef:
    return ObjectRef("Namespace", "", bench.namespace)


def make_namespace(bench: ReconcileHarness, **labels: str) -> dict[str, Any]:
    """What the platform team does."""
    metadata = {"name": bench.namespace, "labels": labels}
    response = bench.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    assert response.status == 201, response.body
    return dict(response.body)


def says(bench: ReconcileHarness, kind: str, reason: str) -> Callable[[], bool]:
    """Whether a condition has a reason."""
    return lambda: condition(bench.tenant(), kind).get("reason") == reason


async def test_a_tenant_lives_and_dies_in_a_namespace_of_others(bench: ReconcileHarness) -> None:
    """All but the namespace is made in it and deleted in the end; the namespace keeps what its makers wrote."""
    before = make_namespace(bench, **CLOSED)
    bench.create(deletionPolicy="Delete", api={"autoscaling": {"maxReplicas": 4}})
    async with bench.running(namespaces=[bench.namespace]):
        tenant = await bench.ready()
        await bench.calm()
        await bench.one_pass()
        calls = bench.calls()
        await bench.one_pass()
        assert bench.calls() == calls
        children = bench.children()
        assert tenant["status"]["objects"] == {"desired": len(children) - 1, "applied": len(children) - 1}
        assert condition(tenant, "Enforced")["status"] == "True"
        bench.end()

        async def ended() -> bool:
            if bench.api.request("GET", path(ObjectRef("ImageHostTenant", "", bench.name))).status == 404:
                return True
            await bench.one_pass()
            return False

        await eventually(ended, within=20, why="the tenant is deleted")
        mine = [key for key in children if key.kind != "Namespace"]
        await eventually(lambda: not [key for key in mine if bench.exists(key)], within=30, why="all is deleted")
    after = bench.get(namespace_of(bench))
    for part in ("uid", "labels"):
        assert after["metadata"][part] == before["metadata"][part]
    assert not {"ownerReferences", "annotations", "deletionTimestamp"} & after["metadata"].keys()


async def test_drift_is_repaired_in_a_namespace_of_others(bench: ReconcileHarness) -> None:
    """The watches of the namespace report a deleted object, and it comes back."""
    make_namespace(bench, **CLOSED)
    bench.create()
    async with bench.running(namespaces=[bench.namespace]):
        await bench.ready()
        await bench.calm()
        bench.woken.clear()
        service = ObjectRef("Service", bench.namespace, "api")
        bench.delete(service)
        await eventually(lambda: bench.name in bench.woken)
        await bench.until(lambda: bench.exists(service), why="the Service is back")


async def test_a_namespace_that_is_not_listed_is_reported(bench: ReconcileHarness) -> None:
    """Nothing is made, inside the cluster or outside, and the tenant says what to do."""
    make_namespace(bench, **CLOSED)
    bench.create()
    async with bench.running(namespaces=["imghost-other"]):
        outcome = await bench.one_pass()
        assert outcome.requeue_after is not None
        for kind in ("Ready", "NamespaceReady"):
            found = condition(bench.tenant(), kind)
            assert (found["status"], found["reason"]) == ("False", "NamespaceNotListed")
            assert f"{bench.namespace} is not among them" in found["message"]
            assert "`namespaces` of the chart" in found["message"]
        assert FINALIZER not in bench.tenant()["metadata"].get("finalizers", [])
        assert not bench.exists(ObjectRef("ServiceAccount", bench.namespace, "api"))
        assert {kind for _, kind, _ in bench.calls()} == {"ImageHostTenant", "Event"}


async def test_a_missing_namespace_is_reported_and_waited_for(bench: ReconcileHarness) -> None:
    """The tenant says that its namespace does not exist, and is worked on as soon as it is created."""
    bench.create()
    async with bench.running(namespaces=[bench.namespace]):
        await bench.one_pass()
        assert condition(bench.tenant(), "Ready")["reason"] == "NamespaceMissing"
        bench.woken.clear()
        make_namespace(bench, **CLOSED)
        await eventually(lambda: bench.name in bench.woken)
        await bench.ready()


async def test_an_open_namespace_is_reported_not_closed(bench: ReconcileHarness) -> None:
    """Pod Security that its makers left out is reported with the label to add, and noticed when it is added."""
    make_namespace(bench)
    bench.create()
    async with bench.running(namespaces=[bench.namespace]):
        await bench.ready()
        found = condition(bench.tenant(), "Enforced")
        assert (found["status"], found["reason"]) == ("False", "PodSecurityNotEnforced")
        assert "pod-security.kubernetes.io/enforce=restricted" in found["message"]
        assert bench.get(namespace_of(bench))["metadata"]["labels"].keys() == {"kubernetes.io/metadata.name"}
        bench.woken.clear()
        response = bench.api.request("PATCH", path(namespace_of(bench)), {"metadata": {"labels": CLOSED}}, MERGE)
        assert response.status == 200
        await eventually(lambda: bench.name in bench.woken)
        await bench.until(says(bench, "Enforced", "Enforced"), why="the label is seen")


def is_readable(bench: ReconcileHarness, tenant: str) -> bool:
    try:
        bench.cache.check_namespace(tenant)
    except PlatformRefused:
        return False
    return True


RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %(user)s}
rules:
  - {apiGroups: [imghost.dev, events.k8s.io], resources: ["*"], verbs: ["*"]}
  - {apiGroups: [""], resources: [namespaces], resourceNames: [%(listed)s], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %(user)s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %(user)s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %(user)s}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: %(user)s, namespace: %(namespace)s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin-of-one}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %(user)s}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: %(user)s, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin-of-one}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %(user)s}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: admin-of-one}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
"""


async def test_an_unreadable_namespace_keeps_no_other_tenant_waiting(bench: ReconcileHarness, kube: Kube) -> None:
    """Where rights are missing the tenant reports it, the others are worked on, and rights given later count."""
    make_namespace(bench, **CLOSED)
    lost = f"lost-{bench.name}"
    listed = [bench.namespace, f"imghost-{lost}"]
    user = f"operator-{bench.name}"
    text = RIGHTS % {"user": user, "listed": json.dumps(listed)[1:-1], "namespace": bench.namespace}
    kube.kubectl("apply", "-f", "-", input=text)
    bench.create()
    async with bench.running(kube.login(user), listed):
        await bench.ready()
        with pytest.raises(PlatformRefused, match="forbidden"):
            bench.cache.check_namespace(lost)
        assert all(age < 60 for age in bench.cache.ages().values())
        kube.kubectl("create", "namespace", f"imghost-{lost}")
        kube.kubectl(
            "create", "rolebinding", user, f"--namespace=imghost-{lost}", "--clusterrole=admin-of-one", f"--user={user}"
        )
        await eventually(lambda: is_readable(bench, lost), within=60, why="it can be read")


async def test_a_terminating_namespace_is_waited_for(bench: ReconcileHarness) -> None:
    """While a namespace is being deleted its tenant says so, and no password is changed; then all is made again."""
    bench.create()
    holder = {"name": "holder", "namespace": bench.namespace, "finalizers": ["example.com/hold"]}
    async with bench.running():
        await bench.ready()
        await bench.calm()
        bench.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": holder})
        bench.delete(namespace_of(bench))
        await bench.until(says(bench, "Ready", "NamespaceTerminating"), why="it is reported")
        assert "is terminating" in condition(bench.tenant(), "NamespaceReady")["message"]
        before = await passwords(bench)
        await bench.one_pass()
        assert await passwords(bench) == before
        config = ObjectRef("ConfigMap", bench.namespace, "holder")
        bench.patch(config, {"metadata": {"finalizers": None}})
        await bench.until(lambda: not bench.exists(config), why="the namespace is deleted")
        await bench.ready()


async def passwords(bench: ReconcileHarness) -> list[tuple[object, ...]]:
    """The verifiers that the server has for the tenant's roles."""
    query = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE %s ORDER BY 1"
    async with await psycopg.AsyncConnection.connect(bench.postgres.admin_url) as connection:
        return await (await connection.execute(query, (f"iht_{bench.name}%",))).fetchall()
