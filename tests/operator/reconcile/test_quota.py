"""Quotas that keep pods from starting, with the API server's own admission of pods."""

from typing import Any

from imghost_operator import quota_room
from imghost_operator.platform import ObjectRef
from support.eventually import eventually
from support.operators import condition
from support.reconcile_harness import ReconcileHarness

RAISE = "raise spec.quota.compute, or ask for fewer or smaller pods"


async def test_a_migration_that_does_not_fit_is_reported_and_goes_on(bench: ReconcileHarness) -> None:
    """The condition names quota, resource, need and rest; a larger quota is all that is missing."""
    bench.workloads.jobs = "run"
    bench.create(quota={"compute": {"memory": "256Mi"}})
    async with bench.running():
        await bench.until(lambda: schema(bench).get("reason") == "QuotaExceeded", why="it is reported")
        assert schema(bench)["message"] == (
            "the migration cannot start. ResourceQuota compute: limits.memory: 512Mi needed, 256Mi of 256Mi left; "
            + RAISE
        )
        bench.edit(quota={"compute": {"memory": "16Gi"}})
        await bench.until(lambda: schema(bench).get("reason") == "Migrating", why="the quota has room")
        bench.workloads.jobs = "succeed"
        await bench.ready()


def schema(bench: ReconcileHarness) -> dict[str, Any]:
    return condition(bench.tenant(), "SchemaReady")


async def test_what_the_api_server_says_of_a_refused_pod_is_explained(bench: ReconcileHarness) -> None:
    """The words of both admission plugins are understood: what is left of a quota, and a LimitRange's maximum."""
    bench.create(quota={"compute": {"pods": 1, "cpu": "1"}})
    async with bench.running():
        await bench.ready()
    quota = ObjectRef("ResourceQuota", bench.namespace, "compute")
    await eventually(lambda: bench.get(quota).get("status", {}).get("used"), why="the quota is counted")
    expected = "ResourceQuota compute: requests.cpu: 1200m needed, 1 of 1 left; " + RAISE
    await eventually(lambda: explained(bench, cpu="1200m") == expected, why="the quota refuses the pod")
    limit = {"type": "Container", "max": {"memory": "64Mi"}}
    metadata = {"name": "small", "namespace": bench.namespace}
    small = {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [limit]}}
    assert bench.api.create(small).status == 201
    # The admission plugins learn of a new object a moment after it was created.
    expected = "a LimitRange of the namespace says so"
    await eventually(lambda: expected in (explained(bench, cpu="100m") or ""), why="the limit refuses the pod")


def explained(bench: ReconcileHarness, cpu: str) -> str | None:
    """What is made of the API server's refusal of a pod that is otherwise as the namespace wants it; creates none.

    Raises AssertionError when the pod is not refused.
    """
    resources = {"requests": {"cpu": cpu, "memory": "128Mi"}, "limits": {"memory": "128Mi"}}
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "a", "image": "a", "resources": resources, "securityContext": security}
    spec = {
        "containers": [container],
        "serviceAccountName": "api",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    metadata = {"name": "a", "namespace": bench.namespace}
    response = bench.api.request(
        "POST",
        f"/api/v1/namespaces/{bench.namespace}/pods?dryRun=All",
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
    )
    assert response.status == 403, response.body
    return quota_room.explain(str(response.body["message"]))
