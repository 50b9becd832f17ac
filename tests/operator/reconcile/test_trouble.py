"""What a pass does when a backend, a right or the tenant itself is missing."""

import json

import psycopg
import pytest

from imghost_operator import reconcile
from imghost_operator.errors import BackendDown, TenantGone
from imghost_operator.platform import ObjectRef
from imghost_operator.provision.database import PostgresBackend, database_name
from imghost_operator.reconcile import FINALIZER
from support.kube import Kube
from support.operators import condition
from support.reconcile_harness import ReconcileHarness


async def test_a_database_outage_becomes_a_condition_and_ends(bench: ReconcileHarness) -> None:
    """Without its database a tenant still gets all else; a condition says why it waits, and it heals by itself."""
    good = bench.databases["default"]
    bench.databases["default"] = PostgresBackend("postgresql://a:b@127.0.0.1:1/postgres")
    bench.create()
    async with bench.running():
        outcome = await bench.one_pass()
        found = condition(bench.tenant(), "DatabaseReady")
        assert (found["status"], found["reason"]) == ("False", "BackendDown")
        assert outcome.requeue_after is not None
        children = {key.kind for key in bench.cache.children(bench.name)}
        assert {"Namespace", "NetworkPolicy", "Secret", "Service"} <= children
        assert children.isdisjoint({"Job", "Deployment"})
        assert condition(bench.tenant(), "StorageReady")["status"] == "True"
        bench.reconciler.breakers[0].backend = good
        await bench.reconciler.breakers[0].probe()
        await bench.ready()


async def test_an_outage_does_not_touch_what_runs(bench: ReconcileHarness) -> None:
    """When store and database die later, conditions say so and the running Deployments are not changed."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        before = bench.get(ObjectRef("Deployment", bench.namespace, "api"))
        for breaker in bench.reconciler.breakers:
            breaker.problem = BackendDown(f"The {breaker.kind} does not respond.")
        await bench.one_pass()
        tenant = bench.tenant()
        assert {condition(tenant, kind)["status"] for kind in ("DatabaseReady", "StorageReady", "Ready")} == {"False"}
        assert bench.get(ObjectRef("Deployment", bench.namespace, "api")) == before


async def test_an_unknown_backend_is_reported(bench: ReconcileHarness) -> None:
    """A reference to an unknown instance makes nothing and names those there are."""
    bench.create(database={"instanceRef": "elsewhere"})
    async with bench.running():
        await bench.one_pass()
        found = condition(bench.tenant(), "Ready")
        assert (found["status"], found["reason"]) == ("False", "UnknownBackend")
        assert "it has default" in found["message"]
        assert not bench.exists(ObjectRef("Namespace", "", bench.namespace))
        assert not bench.tenant()["metadata"].get("finalizers")


async def test_a_spec_from_another_version_is_reported_not_guessed(bench: ReconcileHarness) -> None:
    """A stored spec that this operator cannot read makes nothing and is named, without its value."""
    bench.create()
    tenant = bench.tenant()
    async with bench.running():
        await bench.reconciler.reconcile({**tenant, "spec": {"api": {"replicas": "canary"}}})
    found = condition(bench.tenant(), "Ready")
    assert (found["status"], found["reason"]) == ("False", "InvalidSpec")
    assert found["message"].startswith("spec.api.replicas: ")
    assert "canary" not in json.dumps(bench.tenant()["status"])


async def test_a_deleted_tenant_leaves_nothing_behind(bench: ReconcileHarness) -> None:
    """Work on a tenant whose deletion was missed ends before anything is made for it."""
    bench.create()
    stale = bench.tenant()
    bench.end()
    async with bench.running():
        with pytest.raises(TenantGone):
            await bench.reconciler.reconcile(stale)
        known = {**stale, "metadata": {**stale["metadata"], "finalizers": [FINALIZER]}}
        with pytest.raises(TenantGone):
            await bench.reconciler.reconcile(known)
    assert not bench.exists(ObjectRef("Namespace", "", bench.namespace))
    async with await psycopg.AsyncConnection.connect(bench.postgres.admin_url) as connection:
        query = "SELECT count(*) FROM pg_database WHERE datname = %s"
        row = await (await connection.execute(query, (database_name(bench.name),))).fetchone()
    assert row == (0,)


async def test_a_defect_becomes_a_condition_without_what_it_quotes(
    bench: ReconcileHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nothing expected is in the status by class and place; other conditions stay, and it heals."""
    bench.create()
    async with bench.running():
        before = (await bench.ready())["status"]

        def broken(*_: object) -> None:
            raise KeyError("postgresql://admin:canary@db/postgres")

        with monkeypatch.context() as patched:
            patched.setattr(reconcile.tenant_objects, "build", broken)
            with pytest.raises(KeyError):
                await bench.one_pass()
            with pytest.raises(KeyError):
                await bench.one_pass()
        tenant = bench.tenant()
        found = condition(tenant, "Ready")
        assert (found["status"], found["reason"]) == ("False", "UnexpectedError")
        assert "(KeyError at test_trouble.py:" in found["message"]
        assert "canary" not in json.dumps(tenant)
        assert tenant["status"]["lastError"]["reason"] == "UnexpectedError"
        changed = {each["type"] for each in tenant["status"]["conditions"] if each not in before["conditions"]}
        assert changed == {"Ready", "Progressing"}
        await bench.ready()
        assert "lastError" not in bench.tenant()["status"]


ALMOST_EVERYTHING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: almost}
rules:
  - {apiGroups: ["", apps, autoscaling, batch, policy, events.k8s.io, imghost.dev], resources: ["*"], verbs: ["*"]}
  - {apiGroups: [networking.k8s.io], resources: ["*"], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: almost}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: almost}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: almost}]
"""


async def test_a_missing_right_is_reported_and_other_objects_are_applied(bench: ReconcileHarness, kube: Kube) -> None:
    """What the API refuses becomes a condition with the server's reason; all other objects are made."""
    kube.kubectl("apply", "-f", "-", input=ALMOST_EVERYTHING)
    bench.create()
    async with bench.running(kube.login("almost")):
        await bench.until(
            lambda: condition(bench.tenant(), "NetworkReady").get("reason") == "PlatformRefused", why="it is reported"
        )
        tenant = bench.tenant()
        assert "networkpolicies" in condition(tenant, "NetworkReady")["message"]
        assert condition(tenant, "Ready")["status"] == "False"
        assert {condition(tenant, kind)["status"] for kind in ("NamespaceReady", "SecretsReady")} == {"True"}
        await bench.calm()
        await bench.one_pass()
        before = bench.calls()
        await bench.one_pass()
        refused = {key: count - before.get(key, 0) for key, count in bench.calls().items() if key[1] != "NetworkPolicy"}
        assert not any(refused.values())
