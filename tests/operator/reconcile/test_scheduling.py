"""Tenants that say where their pods run and what these use, on a real API server."""

from typing import Any

from imghost_operator.platform import ObjectRef
from support.reconcile_harness import ReconcileHarness

STRATEGIC = "application/strategic-merge-patch+json"
SCHEDULING: dict[str, Any] = {
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "tolerations": [{"key": "example.com/images", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]
        }
    },
    "topologySpreadConstraints": [],
    "priorityClassName": "tenants",
}


async def test_another_place_is_a_rollout_and_taking_it_back_leaves_nothing(bench: ReconcileHarness) -> None:
    """All Deployments get the fields after a migration there, passes afterwards make no call, and without the block the
    Deployments are as they were.
    """
    bench.create()
    deployments = [ObjectRef("Deployment", bench.namespace, name) for name in ("api", "imaging", "worker")]
    async with bench.running():
        await bench.ready()
        before = [bench.get(ref)["spec"]["template"]["spec"] for ref in deployments]
        bench.edit(scheduling=SCHEDULING)
        tenant = await bench.ready()
        assert tenant["status"]["objects"]["applied"] == tenant["status"]["objects"]["desired"]
        for ref in deployments:
            pod = bench.get(ref)["spec"]["template"]["spec"]
            assert pod["nodeSelector"] == SCHEDULING["nodeSelector"]
            assert pod["tolerations"] == SCHEDULING["tolerations"]
            assert pod["priorityClassName"] == "tenants"
            assert "topologySpreadConstraints" not in pod
        await bench.calm()
        calls = bench.calls()
        await bench.one_pass()
        assert bench.calls() == calls
        bench.edit(scheduling=None)
        await bench.ready()
        assert [bench.get(ref)["spec"]["template"]["spec"] for ref in deployments] == before


async def test_pull_secrets_of_the_spec_and_of_others_are_kept_apart(bench: ReconcileHarness) -> None:
    """Service accounts have both; what the spec drops goes, what the platform added stays, and no pod is replaced."""
    account = ObjectRef("ServiceAccount", bench.namespace, "imaging")
    deployment = ObjectRef("Deployment", bench.namespace, "imaging")
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/images"}
    bench.create(imagePullSecrets=[{"name": "mirror"}, {"name": "old"}], serviceAccount={"annotations": role})

    def named() -> set[str]:
        return {each["name"] for each in bench.get(account).get("imagePullSecrets", [])}

    async with bench.running():
        await bench.ready()
        assert named() == {"mirror", "old"}
        assert role.items() <= bench.get(account)["metadata"]["annotations"].items()
        generation = bench.get(deployment)["metadata"]["generation"]
        both = [{"name": "mirror"}, {"name": "old"}, {"name": "dockercfg"}]
        bench.patch(account, {"imagePullSecrets": both}, STRATEGIC, manager="openshift")
        await bench.calm()
        calls = bench.calls()
        await bench.one_pass()
        assert bench.calls() == calls
        bench.edit(imagePullSecrets=[{"name": "mirror"}], serviceAccount=None)
        await bench.until(lambda: named() == {"mirror", "dockercfg"}, why="the one that was dropped goes")
        assert "eks.amazonaws.com/role-arn" not in bench.get(account)["metadata"]["annotations"]
        bench.edit(imagePullSecrets=[])
        await bench.until(lambda: named() == {"dockercfg"}, why="only that of the platform is left")
        assert bench.get(deployment)["metadata"]["generation"] == generation
