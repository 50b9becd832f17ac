"""One pass after another over a tenant, on a real API server, PostgreSQL and MinIO, without the process around it."""

import base64
import copy
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from imghost_operator import build
from imghost_operator.errors import BackendDown, TenantGone
from imghost_operator.platform import Key, Object
from imghost_operator.provision.database import PostgresBackend, database_name
from imghost_operator.reconcile import FINALIZER
from support.bench import Bench, path
from support.eventually import eventually
from support.kube import Kube
from support.minio import Minio
from support.operators import condition, install_crds
from support.postgres import Postgres

AUTOSCALED = {"autoscaling": {"minReplicas": 2, "maxReplicas": 8}}


@pytest.fixture(scope="module", autouse=True)
def crds(kube_controllers: Kube) -> None:
    install_crds(kube_controllers)


@pytest.fixture
async def bench(kube: Kube, postgres: Postgres, minio: Minio) -> AsyncIterator[Bench]:
    made = Bench(kube, postgres, minio)
    yield made
    await made.close()


async def test_everything_is_made_and_belongs_to_the_tenant(bench: Bench) -> None:
    """A new tenant gets all its objects, owned by it, then conditions and addresses in its status."""
    bench.create(imaging=AUTOSCALED)
    async with bench.running():
        tenant = await bench.ready()
        await bench.calm()
        children = bench.cache.children(bench.name)
    assert {key.kind for key in children} == build.KINDS
    for key in children:
        owner = bench.get(key)["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["uid"]) == ("ImageHostTenant", tenant["metadata"]["uid"]), key
    assert FINALIZER in tenant["metadata"]["finalizers"]
    assert "Serving" in bench.events()
    assert tenant["status"]["observedGeneration"] == tenant["metadata"]["generation"]
    assert {it["observedGeneration"] for it in tenant["status"]["conditions"]} == {tenant["metadata"]["generation"]}
    assert tenant["status"]["database"]["name"] == f"iht_{bench.name}"
    assert tenant["status"]["objects"] == {"desired": len(children), "applied": len(children)}


async def test_a_pass_with_nothing_to_do_makes_no_call(bench: Bench) -> None:
    """The second pass makes no API call, and neither does the first one after a restart."""
    bench.create(imaging=AUTOSCALED)
    async with bench.running():
        await bench.ready()
        await bench.calm()
        await bench.one_pass()
        before = bench.calls()
        await bench.one_pass()
        assert bench.calls() == before
    async with bench.running():
        before = bench.calls()
        await bench.one_pass()
        assert bench.calls() == before


# One edit of each owned kind that a person, or a tool, might make: (kind, merge patch).
EDITS: dict[str, dict[str, Any]] = {
    "Namespace": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
    "ServiceAccount": {"automountServiceAccountToken": True},
    "ResourceQuota": {"spec": {"hard": {"pods": "1000"}}},
    "LimitRange": {"spec": {"limits": []}},
    "NetworkPolicy": {"spec": {"policyTypes": []}},
    "Secret": {"data": {"JWT_PRIVATE_KEY": "dGFtcGVyZWQ="}},
    "ConfigMap": {"data": {"TENANT": "somebody-else"}},
    "Service": {"spec": {"selector": {"app.kubernetes.io/component": "other"}}},
    "Job": {"metadata": {"labels": {"imghost.dev/tenant": "somebody-else"}}},
    "Deployment": {"spec": {"replicas": 7, "template": {"spec": {"automountServiceAccountToken": True}}}},
    "PodDisruptionBudget": {"spec": {"maxUnavailable": "100%", "minAvailable": None}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 150}},
}


async def test_an_edit_of_any_object_is_put_right(bench: Bench) -> None:
    """Whatever of ours somebody edits, kind by kind, the next pass sets back (reliability 26)."""
    assert EDITS.keys() == build.KINDS
    bench.create(imaging=AUTOSCALED)
    async with bench.running():
        await bench.ready()
        await bench.calm()
        before = {key: bench.get(key) for key in (bench.key(kind) for kind in EDITS)}
        for key in before:
            bench.patch(key, EDITS[key.kind])
        edited = {key: bench.get(key) for key in before}
        assert all(_essence(edited[key]) != _essence(before[key]) for key in before)

        def repaired() -> bool:
            bench.workloads.play()
            now = {key: bench.get(key) for key in before}
            wrong = [key for key in before if key.kind != "Secret" and _essence(now[key]) != _essence(before[key])]
            assert not wrong, [(_essence(now[key]), _essence(before[key])) for key in wrong]
            return "dGFtcGVyZWQ=" not in now[bench.key("Secret")]["data"].values()

        await bench.until(repaired, why="all edits are set back")


def _essence(obj: Object) -> Object:
    """An object without what changes at every write, and without the checksum of secrets, which are made anew."""
    fleeting = {"resourceVersion", "generation", "managedFields", "annotations"}
    metadata = {key: value for key, value in obj["metadata"].items() if key not in fleeting}
    essence = copy.deepcopy({key: value for key, value in obj.items() if key != "status"} | {"metadata": metadata})
    if obj["kind"] == "Deployment":
        del essence["spec"]["template"]["metadata"]["annotations"]
    return essence


async def test_any_deleted_object_comes_back(bench: Bench) -> None:
    """Whatever of ours somebody deletes, kind by kind, is made again; secrets then have new values that work."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        doomed = [key for key in bench.cache.children(bench.name) if key.kind != "Namespace"]
        old = {key: bench.get(key)["metadata"]["uid"] for key in doomed}
        for key in doomed:
            bench.delete(key)

        def back() -> bool:
            bench.workloads.play()
            found = {key: bench.api.request("GET", path(key)) for key in doomed}
            missing = [key for key, it in found.items() if it.status != 200 or it.body["metadata"]["uid"] == old[key]]
            assert not missing
            return True

        await bench.until(back, why="all objects are back")
        await bench.ready()
        assert await _logs_in(bench, "database-api")


async def _logs_in(bench: Bench, secret: str) -> bool:
    data = bench.get(Key("Secret", bench.namespace, secret))["data"]
    url = base64.b64decode(data["DATABASE_URL"]).decode()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("SELECT 1")
    return True


async def test_a_deleted_namespace_comes_back_whole(bench: Bench) -> None:
    """Even the whole namespace may be deleted: everything is made anew around the same database."""
    bench.create()
    async with bench.running():
        await bench.ready()
        key = Key("Namespace", "", bench.namespace)
        uid = bench.get(key)["metadata"]["uid"]
        bench.delete(key)
        await bench.until(
            lambda: bench.exists(key) and bench.get(key)["metadata"]["uid"] != uid, why="there is a new namespace"
        )
        await bench.ready()


async def test_what_others_add_to_our_lists_is_taken_out(bench: Bench) -> None:
    """A container or port that somebody adds to an object of ours is removed, and what is not ours stays."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        deployment = Key("Deployment", bench.namespace, "api")
        service = Key("Service", bench.namespace, "api")
        extra = {"spec": {"template": {"spec": {"containers": [{"name": "miner", "image": "miner:1"}]}}}}
        bench.patch(deployment, extra, "application/strategic-merge-patch+json")
        bench.patch(
            service, {"spec": {"ports": [{"name": "debug", "port": 5999}]}}, "application/strategic-merge-patch+json"
        )
        bench.patch(deployment, {"metadata": {"annotations": {"example.com/note": "kept"}}})

        def clean() -> bool:
            bench.workloads.play()
            containers = bench.get(deployment)["spec"]["template"]["spec"]["containers"]
            ports = bench.get(service)["spec"]["ports"]
            return [it["name"] for it in containers] == ["api"] and "debug" not in {it["name"] for it in ports}

        await bench.until(clean, why="foreign items are gone")
        assert bench.get(deployment)["metadata"]["annotations"]["example.com/note"] == "kept"


async def test_a_clash_of_managers_is_told_before_it_is_won(bench: Bench) -> None:
    """Taking a field back from another manager leaves an event and a count, once."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        deployment = Key("Deployment", bench.namespace, "api")
        bench.patch(deployment, {"spec": {"replicas": 9}}, manager="autoscaler")
        await bench.until(lambda: bench.get(deployment)["spec"]["replicas"] == 2, why="replicas are set back")
        assert "FieldConflict" in bench.events()
        assert bench.metrics.field_conflicts.labels("Deployment")._value.get() == 1


async def test_an_object_of_somebody_else_is_not_taken_over(bench: Bench) -> None:
    """A namespace that has our name but another owner is left alone, with a condition that says what to do."""
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}
    assert bench.api.create(theirs).status == 201
    before = bench.get(Key("Namespace", "", bench.namespace))
    bench.create()
    async with bench.running():
        outcome = await bench.one_pass()
        found = condition(bench.tenant(), "NamespaceReady")
        assert (found["status"], found["reason"]) == ("False", "NotOurs")
        assert "delete it" in found["message"]
        assert outcome.requeue_after is not None
        assert bench.get(Key("Namespace", "", bench.namespace)) == before
        assert {key.kind for key in bench.cache.children(bench.name)} == set()


async def test_labels_alone_do_not_make_an_object_ours(bench: Bench) -> None:
    """An object with our name and our labels, planted in the tenant's namespace, is neither used nor deleted."""
    tenant = bench.create()
    async with bench.running():
        await bench.ready()
        planted = bench.get(Key("ConfigMap", bench.namespace, "api"))
        bench.delete(Key("ConfigMap", bench.namespace, "api"))
        labels = planted["metadata"]["labels"]
        metadata = {"name": "api", "namespace": bench.namespace, "labels": labels}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"TENANT": "evil"}}
        assert bench.api.create(body).status == 201
        assert bench.api.create(body | {"metadata": {**metadata, "name": "stray"}}).status == 201
        await bench.until(
            lambda: condition(bench.tenant(), "SecretsReady").get("reason") == "NotOurs", why="the plant is refused"
        )
        assert bench.get(Key("ConfigMap", bench.namespace, "api"))["data"] == {"TENANT": "evil"}
        assert bench.exists(Key("ConfigMap", bench.namespace, "stray"))
        assert condition(bench.tenant(), "Ready")["status"] == "False"
        assert tenant["metadata"]["uid"] == bench.tenant()["metadata"]["uid"]


async def test_what_is_no_longer_wanted_is_pruned(bench: Bench) -> None:
    """An object that the spec no longer asks for is deleted; one without our owner is not."""
    bench.create()
    async with bench.running():
        await bench.ready()
        budget = bench.key("PodDisruptionBudget")
        bench.edit(api={"replicas": 1}, imaging={"replicas": 1})
        await bench.until(lambda: not bench.exists(budget), why="the budget is pruned")


async def test_a_paused_tenant_is_left_alone(bench: Bench) -> None:
    """While paused nothing is written but the status; afterwards everything is put right."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        bench.edit(paused=True, api={"replicas": 5})
        bench.delete(Key("Service", bench.namespace, "api"))
        await eventually(lambda: Key("Service", bench.namespace, "api") not in bench.cache.children(bench.name))
        before = bench.calls()
        await bench.one_pass()
        await bench.one_pass()
        made = {key: count - before.get(key, 0) for key, count in bench.calls().items() if count != before.get(key, 0)}
        assert made == {("patch", "ImageHostTenant", "200"): 1}
        assert condition(bench.tenant(), "Paused")["status"] == "True"
        bench.edit(paused=False)
        await bench.until(lambda: bench.exists(Key("Service", bench.namespace, "api")), why="work goes on")
        assert bench.get(Key("Deployment", bench.namespace, "api"))["spec"]["replicas"] == 5


async def test_the_migration_gates_the_roll_out(bench: Bench) -> None:
    """Deployments are made only after the migration, and keep running as they were while a new one runs or fails."""
    bench.create()
    bench.workloads.jobs = "run"
    api = Key("Deployment", bench.namespace, "api")
    async with bench.running():

        def migrating() -> bool:
            bench.workloads.play()
            return condition(bench.tenant(), "SchemaReady").get("reason") == "Migrating"

        await bench.until(migrating, why="the first migration runs")
        assert not bench.exists(api)
        bench.workloads.jobs = "succeed"
        await bench.ready()
        before = bench.get(api)["spec"]
        bench.workloads.jobs = "fail"
        bench.edit(api={"image": "imghost-api:next", "replicas": 3})

        def failed() -> bool:
            bench.workloads.play()
            return condition(bench.tenant(), "SchemaReady").get("reason") == "MigrationFailed"

        await bench.until(failed, why="the second migration failed")
        assert bench.get(api)["spec"] == before
        assert condition(bench.tenant(), "Ready")["status"] == "False"
        bench.workloads.jobs, bench.late = "succeed", timedelta(minutes=6)  # tried anew after a while
        await bench.ready()
        assert bench.get(api)["spec"]["replicas"] == 3
        assert len([key for key in bench.cache.children(bench.name) if key.kind == "Job"]) == 1


async def test_a_dead_database_becomes_a_condition_and_heals(bench: Bench) -> None:
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
        bench.reconciler.guards[0].backend = good
        await bench.reconciler.guards[0].probe()
        await bench.ready()


async def test_an_outage_does_not_touch_what_runs(bench: Bench) -> None:
    """When store and database die later, conditions say so and the running Deployments are not changed."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        before = bench.get(Key("Deployment", bench.namespace, "api"))
        for guard in bench.reconciler.guards:
            guard.problem = BackendDown(f"The {guard.kind} does not answer.")
        await bench.one_pass()
        tenant = bench.tenant()
        assert {condition(tenant, kind)["status"] for kind in ("DatabaseReady", "StorageReady", "Ready")} == {"False"}
        assert bench.get(Key("Deployment", bench.namespace, "api")) == before


async def test_a_backend_nobody_knows_is_told(bench: Bench) -> None:
    """A reference to an unknown instance makes nothing and names those there are."""
    bench.create(database={"instanceRef": "elsewhere"})
    async with bench.running():
        await bench.one_pass()
        found = condition(bench.tenant(), "Ready")
        assert (found["status"], found["reason"]) == ("False", "UnknownBackend")
        assert "it has default" in found["message"]
        assert not bench.exists(Key("Namespace", "", bench.namespace))
        assert not bench.tenant()["metadata"].get("finalizers")


async def test_a_spec_from_another_version_is_told_not_guessed(bench: Bench) -> None:
    """A stored spec that this operator cannot read makes nothing and is named, without its value."""
    bench.create()
    tenant = bench.tenant()
    async with bench.running():
        await bench.reconciler.reconcile({**tenant, "spec": {"api": {"replicas": "canary"}}})
    found = condition(bench.tenant(), "Ready")
    assert (found["status"], found["reason"]) == ("False", "InvalidSpec")
    assert found["message"].startswith("spec.api.replicas: ")
    assert "canary" not in json.dumps(bench.tenant()["status"])


async def test_a_tenant_that_is_gone_leaves_nothing_behind(bench: Bench) -> None:
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
    assert not bench.exists(Key("Namespace", "", bench.namespace))
    async with await psycopg.AsyncConnection.connect(bench.postgres.admin_url) as connection:
        query = "SELECT count(*) FROM pg_database WHERE datname = %s"
        row = await (await connection.execute(query, (database_name(bench.name),))).fetchone()
    assert row == (0,)


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


async def test_a_missing_right_is_told_and_the_rest_goes_on(bench: Bench, kube: Kube) -> None:
    """What the API refuses becomes a condition with the server's reason; all other objects are made."""
    kube.kubectl("apply", "-f", "-", input=ALMOST_EVERYTHING)
    bench.create()
    async with bench.running(kube.login("almost")):
        await bench.until(
            lambda: condition(bench.tenant(), "NetworkReady").get("reason") == "PlatformRefused", why="it is told"
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


async def test_secrets_show_up_nowhere_else(bench: Bench) -> None:
    """No secret value is in the status, in events, in annotations or in any object but the Secrets (reliability 41)."""
    bench.create()
    async with bench.running():
        await bench.ready()
        objects = [bench.get(key) for key in bench.cache.children(bench.name)]
    values = {
        base64.b64decode(value).decode()
        for obj in objects
        if obj["kind"] == "Secret"
        for name, value in obj.get("data", {}).items()
        if not name.endswith("_ROLE") and name != "S3_ACCESS_KEY_ID"
    }
    values |= {urlsplit(value).password or value for value in values}
    assert len(values) >= 8
    events = bench.api.request("GET", "/apis/events.k8s.io/v1/namespaces/default/events").body
    told = json.dumps([bench.tenant(), events, *(obj for obj in objects if obj["kind"] != "Secret")])
    assert not [value for value in values if value in told]
