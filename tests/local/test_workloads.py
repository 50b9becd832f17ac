"""Deployments of the local platform, with small real servers in place of ours."""

import os
import signal

import httpx
import pytest

from support.eventually import eventually
from support.local_platform import CONFIG, PORT, SERVICE, LocalPlatformHarness, deployment, meta


async def test_a_deployment_runs_with_its_manifests_environment_only(
    local: LocalPlatformHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process gets exactly the variables of its manifest and the few any process needs, none of the user's own."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    await local.serve()
    await eventually(lambda: local.is_ready(1), 10)
    found = (await local.ask())["env"]
    pod = local.pods[0]
    assert (found["HOST"], found["PORT"], found["COLOUR"]) == (pod.address, str(PORT), "red")
    started_with = {"PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "LC_CTYPE"}
    assert found.keys() - {"HOST", "PORT", "COLOUR"} <= started_with
    assert local.changes


async def test_a_killed_process_is_restarted(local: LocalPlatformHarness) -> None:
    """A process that was killed is started again in its pod, and the Deployment says meanwhile that it is not ready."""
    await local.serve()
    await eventually(lambda: local.is_ready(1), 10)
    pod, before = local.pods[0], local.pods[0].pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    await eventually(lambda: local.status["readyReplicas"] == 0, 5)
    await eventually(lambda: local.is_ready(1), 10)
    assert local.pods == [pod]
    assert (pod.pid != before, pod.restarts) == (True, 1)


async def test_a_frozen_process_is_restarted_by_its_liveness_probe(local: LocalPlatformHarness) -> None:
    """A process that no longer answers is taken out of the Service and replaced."""
    await local.serve()
    await eventually(lambda: local.is_ready(1), 10)
    before = local.pods[0].pid
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    await eventually(lambda: local.pods[0].pid not in (None, before) and local.is_ready(1), 20)


async def test_scaling_starts_and_ends_processes(local: LocalPlatformHarness) -> None:
    """More replicas share the connections; fewer end the others; none refuses connections."""
    await local.serve(replicas=2)
    await eventually(lambda: local.is_ready(2), 10)
    assert {(await local.ask())["pid"] for _ in range(4)} == {pod.pid for pod in local.pods}
    await local.apply(deployment(replicas=0))
    await eventually(lambda: local.is_ready(0), 10)
    with pytest.raises(httpx.TransportError):
        await local.ask()


async def test_an_autoscaled_deployment_has_the_fewest_pods(local: LocalPlatformHarness) -> None:
    """No autoscaler works here: a Deployment that leaves the number to one has as many pods as it may choose at least,
    in whatever order the two arrive, and one pod without any.
    """
    left_open = deployment()
    del left_open["spec"]["replicas"]
    for obj in (CONFIG, SERVICE, left_open):
        await local.apply(obj)
    await eventually(lambda: local.is_ready(1), 10)
    for fewest in (3, 2):
        await local.apply({"kind": "HorizontalPodAutoscaler", "metadata": meta("web"), "spec": {"minReplicas": fewest}})
        await eventually(lambda fewest=fewest: local.is_ready(fewest), 10)


async def test_a_roll_out_never_fails_a_request(local: LocalPlatformHarness) -> None:
    """While the template changes every request is answered, first by the old processes, in the end by the new ones."""
    await local.serve(replicas=2)
    await eventually(lambda: local.is_ready(2), 10)
    await local.apply(deployment(replicas=2, colour="blue"))
    colours = []
    while not local.is_ready(2) or local.status["observedGeneration"] != 2:
        colours.append((await local.ask())["env"]["COLOUR"])
        assert len(local.pods) <= 3
    assert {(await local.ask())["env"]["COLOUR"] for _ in range(4)} == {"blue"}
    assert colours[0] == "red"


async def test_a_template_that_cannot_start_leaves_the_old_one_serving(local: LocalPlatformHarness) -> None:
    """A new template that crashes never replaces what works, and the status says what it died of."""
    await local.serve()
    await eventually(lambda: local.is_ready(1), 10)
    await local.apply(deployment(colour="blue", code="raise SystemExit(7)"))
    await eventually(lambda: any("exit code 7" in pod.message for pod in local.pods), 10)
    assert (await local.ask())["env"]["COLOUR"] == "red"
    progressing = next(condition for condition in local.status["conditions"] if condition["type"] == "Progressing")
    assert progressing["reason"] == "ReplicaSetUpdated"
