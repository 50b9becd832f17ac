"""Clusters whose admission changes what the operator writes, with a real webhook of a real API server."""

from pathlib import Path
from typing import Any

from imghost_operator.platform import ObjectRef
from support.admission_webhook import mutating
from support.operators import condition
from support.reconcile_harness import ReconcileHarness

MIRROR = "mirror.example.com/"
VARIABLE = {"name": "INJECTED", "value": "yes"}


def mutate(workload: dict[str, Any]) -> list[dict[str, Any]]:
    """Take images from a mirror, as policy engines do, set requests, as GKE Autopilot does, and add a variable."""
    where = "/spec/template/spec/containers/0"
    container = workload["spec"]["template"]["spec"]["containers"][0]
    patch: list[dict[str, Any]] = [{"op": "add", "path": f"{where}/resources/requests/cpu", "value": "250m"}]
    if not container["image"].startswith(MIRROR):
        patch.append({"op": "replace", "path": f"{where}/image", "value": MIRROR + container["image"]})
    if VARIABLE not in container.get("env", []):
        patch.append(
            {"op": "add", "path": f"{where}/env/-", "value": VARIABLE}
            if "env" in container
            else {"op": "add", "path": f"{where}/env", "value": [VARIABLE]}
        )
    return patch


async def test_what_admission_changes_is_kept_and_completes(bench: ReconcileHarness, tmp_path: Path) -> None:
    """The tenant becomes ready and all its migrations run; passes afterwards make no call; an event says what was
    changed. What others change is restored, in the form that admission gives it.
    """
    api = ObjectRef("Deployment", bench.namespace, "api")
    with mutating(bench.api, tmp_path, bench.namespace, mutate):
        bench.create()
        async with bench.running():
            tenant = await bench.ready()
            assert set(tenant["status"]["migrations"]) == {"pre", "post"}
            assert tenant["status"]["objects"]["applied"] == tenant["status"]["objects"]["desired"]
            container = bench.get(api)["spec"]["template"]["spec"]["containers"][0]
            assert container["image"].startswith(MIRROR)
            assert VARIABLE in container["env"]
            assert "ChangedByAdmission" in bench.events()
            await bench.calm()
            before = bench.calls()
            await bench.one_pass()
            assert bench.calls() == before
            bench.patch(api, {"spec": {"replicas": 7}})
            await bench.calm()
            await bench.until(lambda: bench.get(api)["spec"]["replicas"] == 2, why="the number of pods is restored")
            assert bench.get(api)["spec"]["template"]["spec"]["containers"][0] == container
            await bench.ready()
            assert "Contested" not in bench.events()


async def test_when_the_webhook_is_removed_the_next_rollout_is_as_built(
    bench: ReconcileHarness, tmp_path: Path
) -> None:
    """What admission once made of a workload is expected until something else is built."""
    api = ObjectRef("Deployment", bench.namespace, "api")
    async with bench.running():
        with mutating(bench.api, tmp_path, bench.namespace, mutate):
            bench.create()
            await bench.ready()
        bench.edit(api={"env": [{"name": "LOG_LEVEL", "value": "debug"}]})

        def as_built() -> bool:
            bench.workloads.play()
            container = bench.get(api)["spec"]["template"]["spec"]["containers"][0]
            return not container["image"].startswith(MIRROR) and VARIABLE not in container["env"]

        await bench.until(as_built, why="the Deployment is as built")
        assert condition(await bench.ready(), "Ready")["status"] == "True"


async def test_after_a_restart_nothing_is_written_to_jobs_that_admission_changed(
    bench: ReconcileHarness, tmp_path: Path
) -> None:
    """A new process, without the webhook, leaves the specs of Jobs as they are, which cannot be changed."""
    with mutating(bench.api, tmp_path, bench.namespace, mutate):
        bench.create()
        async with bench.running():
            await bench.ready()
    async with bench.running():
        tenant = await bench.ready()
        jobs = [key for key in bench.children() if key.kind == "Job"]
        assert len(jobs) == 2
        assert tenant["status"]["objects"]["applied"] == tenant["status"]["objects"]["desired"]
        bench.patch(jobs[0], {"metadata": {"labels": {"app.kubernetes.io/component": "another"}}})
        await bench.calm()

        def restored() -> bool:
            return bool(bench.get(jobs[0])["metadata"]["labels"]["app.kubernetes.io/component"] == "migrate")

        await bench.until(restored, why="the label of the Job is restored")
        assert condition(bench.tenant(), "Ready")["status"] == "True"
