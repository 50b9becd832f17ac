"""The number of pods passes from us to an autoscaler and back, on a real API server, without a jump."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from imghost_operator.autoscaling import HOLDER
from imghost_operator.platform import ObjectRef
from support.eventually import eventually
from support.operators import condition
from support.reconcile_harness import MERGE, ReconcileHarness, path

ON = {"minReplicas": 2, "maxReplicas": 8}


def api_of(bench: ReconcileHarness) -> ObjectRef:
    return ObjectRef("Deployment", bench.namespace, "api")


def scaler_of(bench: ReconcileHarness) -> ObjectRef:
    return ObjectRef("HorizontalPodAutoscaler", bench.namespace, "api")


def replicas(bench: ReconcileHarness) -> int:
    return int(bench.get(api_of(bench))["spec"]["replicas"])


def holders(bench: ReconcileHarness) -> set[str]:
    """The field managers that say how many pods the api has."""
    managed = bench.get(api_of(bench))["metadata"]["managedFields"]
    return {entry["manager"] for entry in managed if "f:replicas" in entry["fieldsV1"].get("f:spec", {})}


def play_autoscaler(bench: ReconcileHarness, pods: int) -> None:
    """What the autoscaler's controller does."""
    where = f"{path(api_of(bench))}/scale?fieldManager=kube-controller-manager"
    assert bench.api.request("PATCH", where, {"spec": {"replicas": pods}}, MERGE).status == 200


@asynccontextmanager
async def seen_replicas(bench: ReconcileHarness) -> AsyncIterator[list[int]]:
    """Every number of pods that the api's Deployment has on the way, as its controller would see it."""
    seen: list[int] = []
    version = bench.get(api_of(bench))["metadata"]["resourceVersion"]

    async def follow() -> None:
        async for _, obj in bench.cluster.watch("Deployment", version):
            if ObjectRef.of(obj) == api_of(bench):
                seen.append(obj["spec"]["replicas"])

    following = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_an_autoscaler_takes_over_and_gives_back(bench: ReconcileHarness) -> None:
    """Switched on, off and on again, the pods are never fewer than one of the two asked for, and no event is posted."""
    bench.create(api={"replicas": 5})
    async with bench.running():
        await bench.ready()
        async with seen_replicas(bench) as seen:
            bench.edit(api={"autoscaling": ON})
            await bench.until(lambda: bench.exists(scaler_of(bench)), why="there is an autoscaler")
            assert holders(bench) == {HOLDER}
            play_autoscaler(bench, 7)
            await bench.ready()
            assert holders(bench) == {"kube-controller-manager"}
            bench.edit(api={"image": "imghost-api:next"})
            await bench.ready()
            assert bench.get(api_of(bench))["spec"]["template"]["spec"]["containers"][0]["image"] == "imghost-api:next"
            assert bench.tenant()["status"]["api"]["desired"] == 7
            bench.edit(api={"autoscaling": {"enabled": False}})
            await bench.until(lambda: not bench.exists(scaler_of(bench)), why="the autoscaler is pruned")
            assert (replicas(bench), holders(bench)) == (5, {"imghost-operator"})
            await eventually(lambda: seen[-1:] == [5], why="the watch has seen the end")
        assert set(seen) == {5, 7}
        bench.edit(api={"replicas": 4})
        await bench.until(lambda: replicas(bench) == 4, why="replicas count again")
        assert "FieldConflict" not in bench.events()


async def test_a_new_tenant_starts_with_the_fewest(bench: ReconcileHarness) -> None:
    """Before the autoscaler has looked at it there are minReplicas pods, and further passes make no call."""
    bench.create(api={"autoscaling": {**ON, "minReplicas": 3}})
    async with bench.running():
        await bench.ready()
        await bench.calm()
        assert (replicas(bench), holders(bench)) == (3, {HOLDER})
        await bench.one_pass()
        before = bench.calls()
        play_autoscaler(bench, 6)
        await bench.calm()
        bench.workloads.play()
        await bench.calm()
        await bench.one_pass()
        made = {key: count - before.get(key, 0) for key, count in bench.calls().items() if count != before.get(key, 0)}
        assert made == {("patch", "ImageHostTenant", "200"): 1}
        assert bench.tenant()["status"]["api"] == {"desired": 6, "current": 6, "ready": 6, "updated": 6}


async def test_an_autoscaler_starts_with_the_fewest_pods(bench: ReconcileHarness) -> None:
    """An autoscaler never wakes a Deployment of no pods, so it is handed over with the fewest."""
    bench.create(api={"replicas": 0})
    async with bench.running():
        await bench.until(lambda: _played(bench) and bench.exists(api_of(bench)), why="it is rolled out")
        bench.edit(api={"autoscaling": ON})
        await bench.until(lambda: bench.exists(scaler_of(bench)), why="there is an autoscaler")
        assert replicas(bench) == 2


def _played(bench: ReconcileHarness) -> bool:
    bench.workloads.play()
    return True


async def test_a_deleted_deployment_comes_back_autoscaled(bench: ReconcileHarness) -> None:
    """Created again it starts with the fewest pods and is the autoscaler's again."""
    bench.create(api={"autoscaling": ON})
    async with bench.running():
        await bench.ready()
        before = bench.get(api_of(bench))["metadata"]["uid"]
        bench.delete(api_of(bench))
        await eventually(lambda: api_of(bench) not in bench.cache.children(bench.name))
        await bench.until(lambda: bench.exists(api_of(bench)), why="it is back")
        assert bench.get(api_of(bench))["metadata"]["uid"] != before
        assert (replicas(bench), holders(bench)) == (2, {HOLDER})


def _scaling(status: str, reason: str, message: str) -> dict[str, Any]:
    now = "2026-01-01T00:00:00Z"
    found = {"type": "ScalingActive", "status": status, "reason": reason, "message": message, "lastTransitionTime": now}
    return {"status": {"conditions": [found], "currentReplicas": 2, "desiredReplicas": 2, "currentMetrics": []}}


async def test_an_autoscaler_without_metrics_is_reported(bench: ReconcileHarness) -> None:
    """What keeps an autoscaler from working is a condition of a tenant that stays ready; measurements wake none."""
    bench.create(api={"autoscaling": ON})
    async with bench.running():
        tenant = await bench.ready()
        assert condition(tenant, "Autoscaled")["status"] == "Unknown"
        where = f"{path(scaler_of(bench))}/status"
        body = _scaling("False", "FailedGetResourceMetric", "the server could not find the requested resource")
        assert bench.api.request("PATCH", where, body, MERGE).status == 200
        await bench.until(lambda: condition(bench.tenant(), "Autoscaled")["status"] == "False", why="it is reported")
        found = condition(bench.tenant(), "Autoscaled")
        assert found["reason"] == "AutoscalerInactive"
        assert "api keeps its number of pods (FailedGetResourceMetric: the server could not" in found["message"]
        assert condition(bench.tenant(), "Ready")["status"] == "True"
        working = _scaling("True", "ValidMetricFound", "the HPA was able to compute the replica count")
        assert bench.api.request("PATCH", where, working, MERGE).status == 200
        await bench.until(lambda: condition(bench.tenant(), "Autoscaled")["status"] == "True", why="it works")
        await bench.calm()
        bench.woken.clear()
        current = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 41}}}
        working["status"]["currentMetrics"] = [current]
        assert bench.api.request("PATCH", where, working, MERGE).status == 200
        await bench.calm()
        assert bench.name not in bench.woken
