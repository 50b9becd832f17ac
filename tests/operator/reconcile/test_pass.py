"""One pass after another over a tenant, on a real API server, PostgreSQL and MinIO, without the process around it."""

import base64
import json
from datetime import timedelta
from urllib.parse import urlsplit

from imghost_operator import tenant_objects
from imghost_operator.platform import ObjectRef
from imghost_operator.reconcile import FINALIZER
from support.eventually import eventually
from support.operators import condition
from support.reconcile_harness import ReconcileHarness

AUTOSCALED = {"autoscaling": {"minReplicas": 2, "maxReplicas": 8}}


async def test_a_new_tenant_gets_all_objects_owned_by_it(bench: ReconcileHarness) -> None:
    """A new tenant gets all its objects, owned by it, then conditions and addresses in its status."""
    bench.create(imaging=AUTOSCALED)
    async with bench.running():
        tenant = await bench.ready()
        await bench.calm()
        children = bench.children()
    assert {key.kind for key in children} == tenant_objects.KINDS
    for key in children:
        owner = bench.get(key)["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["uid"]) == ("ImageHostTenant", tenant["metadata"]["uid"]), key
    assert FINALIZER in tenant["metadata"]["finalizers"]
    assert "Serving" in bench.events()
    assert tenant["status"]["observedGeneration"] == tenant["metadata"]["generation"]
    assert {condition["observedGeneration"] for condition in tenant["status"]["conditions"]} == {
        tenant["metadata"]["generation"]
    }
    assert tenant["status"]["database"]["name"] == f"iht_{bench.name}"
    assert tenant["status"]["objects"] == {"desired": len(children), "applied": len(children)}


async def test_a_pass_with_nothing_to_do_makes_no_call(bench: ReconcileHarness) -> None:
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


async def test_what_running_pods_read_is_pruned_after_the_rollout(bench: ReconcileHarness) -> None:
    """A ConfigMap that no longer belongs to the tenant stays until all pods are replaced: old ones may start again."""
    bench.create()
    async with bench.running():
        await bench.ready()
        stray = bench.get(ObjectRef("ConfigMap", bench.namespace, "worker"))
        kept = ("labels", "annotations", "namespace", "ownerReferences")
        stray["metadata"] = {"name": "former", **{key: stray["metadata"][key] for key in kept}}
        bench.edit(api={"env": [{"name": "LOG_LEVEL", "value": "debug"}]})
        assert bench.api.create({**stray, "apiVersion": "v1", "kind": "ConfigMap"}).status == 201
        former = ObjectRef("ConfigMap", bench.namespace, "former")
        api = ObjectRef("Deployment", bench.namespace, "api")
        await bench.until(lambda: "LOG_LEVEL" in str(bench.get(api)), why="the rollout begins")
        await bench.calm()
        await bench.one_pass()
        assert bench.exists(former)
        await bench.ready()
        await bench.until(lambda: not bench.exists(former), why="it is pruned")


async def test_what_is_no_longer_wanted_is_pruned(bench: ReconcileHarness) -> None:
    """An object that the spec no longer asks for is deleted; one without our owner is not."""
    bench.create()
    async with bench.running():
        await bench.ready()
        budget = bench.key("PodDisruptionBudget")
        bench.edit(api={"replicas": 1}, imaging={"replicas": 1})
        await bench.until(lambda: not bench.exists(budget), why="the budget is pruned")


async def test_a_paused_tenant_is_left_alone(bench: ReconcileHarness) -> None:
    """While paused nothing is written but the status; afterwards everything is repaired."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        bench.edit(paused=True, api={"replicas": 5})
        bench.delete(ObjectRef("Service", bench.namespace, "api"))
        await eventually(lambda: ObjectRef("Service", bench.namespace, "api") not in bench.cache.children(bench.name))
        before = bench.calls()
        await bench.one_pass()
        await bench.one_pass()
        made = {key: count - before.get(key, 0) for key, count in bench.calls().items() if count != before.get(key, 0)}
        assert made == {("patch", "ImageHostTenant", "200"): 1}
        assert condition(bench.tenant(), "Paused")["status"] == "True"
        bench.edit(paused=False)
        await bench.until(lambda: bench.exists(ObjectRef("Service", bench.namespace, "api")), why="work goes on")
        assert bench.get(ObjectRef("Deployment", bench.namespace, "api"))["spec"]["replicas"] == 5


async def test_the_migration_gates_the_roll_out(bench: ReconcileHarness) -> None:
    """Deployments are made only after the migration, and keep running as they were while a new one runs or fails."""
    bench.create()
    bench.workloads.jobs = "run"
    api = ObjectRef("Deployment", bench.namespace, "api")
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
        bench.workloads.jobs, bench.late = "succeed", timedelta(minutes=6)  # tried again after a while
        await bench.ready()
        assert bench.get(api)["spec"]["replicas"] == 3
        await bench.until(lambda: len(jobs(bench, "")) == 2, why="Jobs of the first image are pruned")


def jobs(bench: ReconcileHarness, phase: str) -> list[ObjectRef]:
    """The migration Jobs of a phase."""
    children = bench.cache.children(bench.name)
    return [ref for ref in children if ref.kind == "Job" and ref.name.startswith(f"migrate-{phase}")]


async def test_the_post_migration_comes_after_the_rollout(bench: ReconcileHarness) -> None:
    """Its Job is created when no pod of an older release is left; its failure is shown, retried, and harms nothing."""
    bench.create()
    bench.workloads.stuck = True
    api = ObjectRef("Deployment", bench.namespace, "api")
    async with bench.running():

        def rolling() -> bool:
            bench.workloads.play()
            return bench.exists(api)

        await bench.until(rolling, why="the rollout has begun")
        await bench.one_pass()
        assert jobs(bench, "post") == []
        assert condition(bench.tenant(), "SchemaContracted")["reason"] == "WaitingForRollout"
        bench.workloads.stuck, bench.workloads.jobs = False, "fail"

        def failed() -> bool:
            bench.workloads.play()
            return condition(bench.tenant(), "SchemaContracted").get("reason") == "PostMigrationFailed"

        await bench.until(failed, why="the post migration failed")
        assert condition(bench.tenant(), "Ready")["status"] == "True"
        bench.workloads.jobs, bench.late = "succeed", timedelta(minutes=6)
        await bench.ready()
        assert condition(bench.tenant(), "SchemaContracted")["status"] == "True"
        (first,) = jobs(bench, "post")
        bench.workloads.stuck = True
        bench.edit(api={"image": "imghost-api:next"})

        def rolling_again() -> bool:
            bench.workloads.play()
            return "imghost-api:next" in str(bench.get(api)["spec"]["template"])

        await bench.until(rolling_again, why="the next rollout has begun")
        await bench.until(lambda: not jobs(bench, "post"), why="the Job of the first release is pruned, none follows")
        bench.workloads.stuck = False
        await bench.ready()
        assert len(jobs(bench, "post")) == 1
        assert jobs(bench, "post") != [first]


async def test_secrets_show_up_nowhere_else(bench: ReconcileHarness) -> None:
    """No secret value is in the status, in events, in annotations or in any object but the Secrets."""
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
    readable = json.dumps([bench.tenant(), events, *(obj for obj in objects if obj["kind"] != "Secret")])
    assert not [value for value in values if value in readable]
