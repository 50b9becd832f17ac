"""What others change, delete or plant among a tenant's objects, on a real API server."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from imghost_operator import contention, tenant_objects
from imghost_operator.platform import Object, ObjectRef
from support.metrics import value
from support.operators import condition
from support.reconcile_harness import ReconcileHarness, path

AUTOSCALED = {"autoscaling": {"minReplicas": 2, "maxReplicas": 8}}


# One edit of each owned kind that a person, or a tool, might make: (kind, merge patch).
EDITS: dict[str, dict[str, Any]] = {
    "Namespace": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
    "ServiceAccount": {"automountServiceAccountToken": True},
    "ResourceQuota": {"spec": {"hard": {"pods": "1000"}}},
    "LimitRange": {"spec": {"limits": []}},
    "NetworkPolicy": {"spec": {"policyTypes": []}},
    "Secret": {"data": {"JWT_PRIVATE_KEY": "dGFtcGVyZWQ="}},
    "ConfigMap": {"data": {"TENANT": "another"}},
    "Service": {"spec": {"selector": {"app.kubernetes.io/component": "other"}}},
    "Job": {"metadata": {"labels": {"app.kubernetes.io/component": "another"}}},
    "Deployment": {"spec": {"replicas": 7, "template": {"spec": {"automountServiceAccountToken": True}}}},
    "PodDisruptionBudget": {"spec": {"maxUnavailable": "100%", "minAvailable": None}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 150}},
}


async def test_an_edit_of_any_object_is_repaired(bench: ReconcileHarness) -> None:
    """Whichever of our objects is edited, kind by kind, the next pass sets it back."""
    assert EDITS.keys() == tenant_objects.KINDS
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
            wrong = [key for key in before if _essence(now[key]) != _essence(before[key])]
            assert not wrong, [(_essence(now[key]), _essence(before[key])) for key in wrong]
            return True

        await bench.until(repaired, why="all edits are set back")


def _essence(obj: Object) -> Object:
    """An object without what changes at every write."""
    fleeting = {"resourceVersion", "generation", "managedFields", "annotations"}
    metadata = {key: value for key, value in obj["metadata"].items() if key not in fleeting}
    return {key: value for key, value in obj.items() if key != "status"} | {"metadata": metadata}


async def test_any_deleted_object_comes_back(bench: ReconcileHarness) -> None:
    """Whichever of our objects is deleted, kind by kind, is created again, but for Jobs that are complete."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        doomed = [key for key in bench.children() if key.kind not in {"Namespace", "Job"}]
        old = {key: bench.get(key)["metadata"]["uid"] for key in doomed}
        for key in doomed:
            bench.delete(key)

        def back() -> bool:
            bench.workloads.play()
            found = {key: bench.api.request("GET", path(key)) for key in doomed}
            missing = [
                key
                for key, response in found.items()
                if response.status != 200 or response.body["metadata"]["uid"] == old[key]
            ]
            assert not missing
            return True

        await bench.until(back, why="all objects are back")
        await bench.ready()
        assert await _logs_in(bench, "database-api")


async def _logs_in(bench: ReconcileHarness, secret: str) -> bool:
    data = bench.get(ObjectRef("Secret", bench.namespace, secret))["data"]
    url = base64.b64decode(data["DATABASE_URL"]).decode()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("SELECT 1")
    return True


async def test_a_deleted_namespace_is_recreated_with_its_database(bench: ReconcileHarness) -> None:
    """Even the whole namespace may be deleted: everything is created again around the same database."""
    bench.create()
    async with bench.running():
        await bench.ready()
        key = ObjectRef("Namespace", "", bench.namespace)
        uid = bench.get(key)["metadata"]["uid"]
        bench.delete(key)
        await bench.until(
            lambda: bench.exists(key) and bench.get(key)["metadata"]["uid"] != uid, why="there is a new namespace"
        )
        await bench.ready()


async def test_what_others_add_to_our_lists_is_taken_out(bench: ReconcileHarness) -> None:
    """A container or port that another client adds to an object of ours is removed, and what is not ours stays."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        deployment = ObjectRef("Deployment", bench.namespace, "api")
        service = ObjectRef("Service", bench.namespace, "api")
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
            return [item["name"] for item in containers] == ["api"] and "debug" not in {item["name"] for item in ports}

        await bench.until(clean, why="foreign items are removed")
        assert bench.get(deployment)["metadata"]["annotations"]["example.com/note"] == "kept"


async def test_a_conflict_of_managers_is_reported_before_it_is_won(bench: ReconcileHarness) -> None:
    """Taking a field back from another manager leaves an event and a count, once."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        deployment = ObjectRef("Deployment", bench.namespace, "api")
        bench.patch(deployment, {"spec": {"replicas": 9}}, manager="autoscaler")
        await bench.until(lambda: bench.get(deployment)["spec"]["replicas"] == 2, why="replicas are set back")
        assert "FieldConflict" in bench.events()
        assert value(bench.metrics.field_conflicts, "Deployment") == 1


async def test_a_fight_over_a_field_is_slowed_down(bench: ReconcileHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another controller that writes a field back each time gets fewer and fewer answers, and an event says so."""
    monkeypatch.setattr(contention, "FREE_WRITES", 3)
    started = datetime.now(UTC)
    bench.now = lambda: started
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        deployment = ObjectRef("Deployment", bench.namespace, "api")
        before = bench.calls().get(("apply", "Deployment", "200"), 0)
        for _ in range(7):
            bench.patch(deployment, {"spec": {"replicas": 9}}, manager="autoscaler")
            await bench.calm()
            outcome = await bench.one_pass()
        assert bench.calls()[("apply", "Deployment", "200")] - before <= 3 + 1
        assert "Contested" in bench.events()
        assert outcome.requeue_after == contention.FIRST_PAUSE_SECONDS
        bench.late = timedelta(minutes=20)
        await bench.until(lambda: bench.get(deployment)["spec"]["replicas"] == 2, why="it is restored later")


async def test_pull_secrets_of_others_stay(bench: ReconcileHarness) -> None:
    """What a cluster adds to our service accounts is kept, also when we have one of our own to add."""
    bench.create()
    account = ObjectRef("ServiceAccount", bench.namespace, "api")
    theirs = {"name": "api-dockercfg-x7k2p"}
    async with bench.running():
        await bench.ready()
        await bench.calm()
        bench.patch(account, {"imagePullSecrets": [theirs]}, manager="openshift-controller-manager")
        await bench.calm()
        before = bench.calls()
        await bench.one_pass()
        assert bench.calls() == before
    bench.release = replace(bench.release, registries='{"auths": {}}')
    async with bench.running():
        await bench.ready()
    assert {item["name"] for item in bench.get(account)["imagePullSecrets"]} == {"registries", theirs["name"]}


async def test_an_object_of_another_owner_is_not_taken_over(bench: ReconcileHarness) -> None:
    """A namespace that has our name but another owner is left alone, with a condition that says what to do."""
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}
    assert bench.api.create(theirs).status == 201
    before = bench.get(ObjectRef("Namespace", "", bench.namespace))
    bench.create()
    async with bench.running():
        outcome = await bench.one_pass()
        found = condition(bench.tenant(), "NamespaceReady")
        assert (found["status"], found["reason"]) == ("False", "NotOwned")
        assert "delete it" in found["message"]
        assert outcome.requeue_after is not None
        assert bench.get(ObjectRef("Namespace", "", bench.namespace)) == before
        assert bench.children() == {}


async def test_labels_alone_do_not_make_an_object_ours(bench: ReconcileHarness) -> None:
    """An object with our name and our labels, planted in the tenant's namespace, is neither used nor deleted."""
    tenant = bench.create()
    async with bench.running():
        await bench.ready()
        planted = bench.get(ObjectRef("ConfigMap", bench.namespace, "api"))
        bench.delete(ObjectRef("ConfigMap", bench.namespace, "api"))
        labels = planted["metadata"]["labels"]
        metadata = {"name": "api", "namespace": bench.namespace, "labels": labels}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"TENANT": "evil"}}
        assert bench.api.create(body).status == 201
        assert bench.api.create(body | {"metadata": {**metadata, "name": "stray"}}).status == 201
        await bench.until(
            lambda: condition(bench.tenant(), "SecretsReady").get("reason") == "NotOwned", why="the plant is refused"
        )
        assert bench.get(ObjectRef("ConfigMap", bench.namespace, "api"))["data"] == {"TENANT": "evil"}
        assert bench.exists(ObjectRef("ConfigMap", bench.namespace, "stray"))
        assert condition(bench.tenant(), "Ready")["status"] == "False"
        assert tenant["metadata"]["uid"] == bench.tenant()["metadata"]["uid"]
