"""Deployments of the local platform, with small real servers in place of ours."""

import os
import signal

import httpx
import pytest

from support.eventually import eventually
from support.local_platform import CONFIG, PORT, SERVICE, LocalPlatformHarness, deployment, meta


async def test_a_deployment_runs_with_its_manifests_environment_only(
    world: LocalPlatformHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process gets exactly the variables of its manifest and the few any process needs, none of the user's own."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    await world.serve()
    await eventually(lambda: world.is_ready(1), 10)
    found = (await world.ask())["env"]
    pod = world.pods[0]
    assert (found["HOST"], found["PORT"], found["COLOUR"]) == (pod.address, str(PORT), "red")
    started_with = {"PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "LC_CTYPE"}
    assert found.keys() - {"HOST", "PORT", "COLOUR"} <= started_with
    assert world.woken


async def test_a_killed_process_comes_back(world: LocalPlatformHarness) -> None:
    """A process that was killed is started again in its pod, and the Deployment says meanwhile that it is not ready."""
    await world.serve()
    await eventually(lambda: world.is_ready(1), 10)
    pod, before = world.pods[0], world.pods[0].pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    await eventually(lambda: world.status["readyReplicas"] == 0, 5)
    await eventually(lambda: world.is_ready(1), 10)
    assert world.pods == [pod]
    assert (pod.pid != before, pod.restarts) == (True, 1)


async def test_a_frozen_process_is_restarted_by_its_liveness_probe(world: LocalPlatformHarness) -> None:
    """A process that no longer answers is taken out of the Service and replaced."""
    await world.serve()
    await eventually(lambda: world.is_ready(1), 10)
    before = world.pods[0].pid
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    await eventually(lambda: world.pods[0].pid not in (None, before) and world.is_ready(1), 20)


async def test_scaling_spreads_and_ends(world: LocalPlatformHarness) -> None:
    """More replicas share the connections; fewer end the others; none refuses connections."""
    await world.serve(replicas=2)
    await eventually(lambda: world.is_ready(2), 10)
    assert {(await world.ask())["pid"] for _ in range(4)} == {pod.pid for pod in world.pods}
    await world.apply(deployment(replicas=0))
    await eventually(lambda: world.is_ready(0), 10)
    with pytest.raises(httpx.TransportError):
        await world.ask()


async def test_an_autoscaled_deployment_has_the_fewest_pods(world: LocalPlatformHarness) -> None:
    """No autoscaler works here: a Deployment that leaves the number to one has as many pods as it may choose at least,
    in whatever order the two arrive, and one pod without any.
    """
    left_open = deployment()
    del left_open["spec"]["replicas"]
    for obj in (CONFIG, SERVICE, left_open):
        await world.apply(obj)
    await eventually(lambda: world.is_ready(1), 10)
    for fewest in (3, 2):
        await world.apply({"kind": "HorizontalPodAutoscaler", "metadata": meta("web"), "spec": {"minReplicas": fewest}})
        await eventually(lambda fewest=fewest: world.is_ready(fewest), 10)


async def test_a_roll_out_never_fails_a_request(world: LocalPlatformHarness) -> None:
    """While the template changes every request is answered, first by the old processes, in the end by the new ones."""
    await world.serve(replicas=2)
    await eventually(lambda: world.is_ready(2), 10)
    await world.apply(deployment(replicas=2, colour="blue"))
    colours = []
    while not world.is_ready(2) or world.status["observedGeneration"] != 2:
        colours.append((await world.ask())["env"]["COLOUR"])
        assert len(world.pods) <= 3
    assert {(await world.ask())["env"]["COLOUR"] for _ in range(4)} == {"blue"}
    assert colours[0] == "red"


async def test_a_template_that_cannot_start_leaves_the_old_one_serving(world: LocalPlatformHarness) -> None:
    """A new template that crashes never replaces what works, and the status says what it died of."""
    await world.serve()
    await eventually(lambda: world.is_ready(1), 10)
    await world.apply(deployment(colour="blue", code="raise SystemExit(7)"))
    await eventually(lambda: any("exit code 7" in pod.message for pod in world.pods), 10)
    assert (await world.ask())["env"]["COLOUR"] == "red"
    progressing = next(it for it in world.status["conditions"] if it["type"] == "Progressing")
    assert progressing["reason"] == "ReplicaSetUpdated"
