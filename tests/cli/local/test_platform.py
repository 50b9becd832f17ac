"""The local platform, with small real servers in place of ours."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psutil
import pytest

from imghost_cli.local.addresses import listening
from imghost_cli.local.platform import LocalPlatform
from imghost_cli.local.pods import Pod
from imghost_cli.local.state import State
from imghost_operator.build import MANAGED, TENANT_LABEL
from imghost_operator.errors import Changed, NotOurs
from imghost_operator.platform import Key, Object
from support.eventually import eventually

SERVER = """
import http.server, json, os, pathlib, signal, socketserver, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        sick = pathlib.Path("sick").exists()
        body = json.dumps({"pid": os.getpid(), "env": dict(os.environ), "cwd": os.getcwd()}).encode()
        self.send_response(503 if sick and self.path == "/readyz" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        left, total = int(self.headers["Content-Length"]), 0
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        print(self.path, flush=True)

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""
NAMESPACE = "imghost-demo"
PORT = 8080


def meta(name: str, **more: Any) -> Object:
    return {"namespace": NAMESPACE, "name": name, "labels": {**MANAGED, TENANT_LABEL: "demo"}, **more}


def deployment(replicas: int = 1, colour: str = "red", code: str = SERVER) -> Object:
    def probe(path: str, failures: int) -> Object:
        return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": 1, "failureThreshold": failures}

    container = {
        "name": "web",
        "command": [sys.executable, "-c", code],
        "ports": [{"name": "http", "containerPort": PORT}],
        "envFrom": [{"configMapRef": {"name": "web"}}],
        "env": [
            {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "COLOUR", "value": colour},
        ],
        "startupProbe": probe("/livez", 20),
        "readinessProbe": probe("/readyz", 1),
        "livenessProbe": probe("/livez", 2),
    }
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 2},
    }
    rolling = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    spec = {"replicas": replicas, "strategy": rolling, "template": template}
    return {"kind": "Deployment", "metadata": meta("web"), "spec": spec}


def job(code: str, backoff: int = 0, **more: Any) -> Object:
    container = {"name": "job", "command": [sys.executable, "-c", code]}
    template = {"metadata": {}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    return {"kind": "Job", "metadata": meta("job"), "spec": {"backoffLimit": backoff, "template": template, **more}}


TRY = "import pathlib; mark = pathlib.Path('../../../tried'); first = not mark.exists(); mark.touch()"
CONFIG = {"kind": "ConfigMap", "metadata": meta("web"), "data": {"PORT": str(PORT)}}
SERVICE = {
    "kind": "Service",
    "metadata": meta("web"),
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
}


class World:
    """A platform with what was told to whoever it wakes."""

    def __init__(self, state: State) -> None:
        self.woken: list[str] = []
        self.platform = LocalPlatform(state, asked_ports={}, woken=self.woken.append)
        self.url = self.platform.endpoint(NAMESPACE, "web", "http", 80)

    async def serve(self, **how: Any) -> None:
        for obj in (CONFIG, SERVICE, deployment(**how)):
            await self.apply(obj)

    async def apply(self, obj: Object) -> None:
        await self.platform.apply(obj, self.platform.objects.get(Key.of(obj)))

    @property
    def pods(self) -> list[Pod]:
        return [pod for _, pod in self.platform.pods(NAMESPACE)]

    @property
    def status(self) -> dict[str, Any]:
        found = self.platform.objects.get(Key("Deployment", NAMESPACE, "web")) or {}
        return dict(found.get("status", {}))

    def is_ready(self, replicas: int) -> bool:
        counts = ("replicas", "updatedReplicas", "readyReplicas")
        return [self.status.get(name) for name in counts] == [replicas] * 3

    async def ask(self) -> dict[str, Any]:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            answer = await client.get(self.url)
            found: dict[str, Any] = answer.json()
            return found


@pytest.fixture
async def world(state: State) -> AsyncIterator[World]:
    it = World(state)
    yield it
    await it.platform.close()


async def test_a_deployment_runs_with_its_manifests_environment_only(
    world: World, monkeypatch: pytest.MonkeyPatch
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


async def test_a_killed_process_comes_back(world: World) -> None:
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


async def test_a_frozen_process_is_restarted_by_its_liveness_probe(world: World) -> None:
    """A process that no longer answers is taken out of the Service and replaced."""
    await world.serve()
    await eventually(lambda: world.is_ready(1), 10)
    before = world.pods[0].pid
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    await eventually(lambda: world.pods[0].pid not in (None, before) and world.is_ready(1), 20)


async def test_scaling_spreads_and_ends(world: World) -> None:
    """More replicas share the connections; fewer end the others; none refuses connections."""
    await world.serve(replicas=2)
    await eventually(lambda: world.is_ready(2), 10)
    assert {(await world.ask())["pid"] for _ in range(4)} == {pod.pid for pod in world.pods}
    await world.apply(deployment(replicas=0))
    await eventually(lambda: world.is_ready(0), 10)
    with pytest.raises(httpx.TransportError):
        await world.ask()


async def test_an_autoscaled_deployment_has_the_fewest_pods(world: World) -> None:
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


async def test_a_roll_out_never_fails_a_request(world: World) -> None:
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


async def test_an_unready_pod_gets_no_connections(world: World, state: State) -> None:
    """A pod whose readiness probe fails is left out of the balance until it recovers, without a restart."""
    await world.serve(replicas=2)
    await eventually(lambda: world.is_ready(2), 10)
    sick, well = world.pods
    mark = state.pods / NAMESPACE / sick.name / "sick"
    mark.touch()
    await eventually(lambda: world.status["readyReplicas"] == 1, 10)
    assert {(await world.ask())["pid"] for _ in range(4)} == {well.pid}
    mark.unlink()
    await eventually(lambda: world.is_ready(2), 10)
    assert sick.restarts == 0


async def test_a_template_that_cannot_start_leaves_the_old_one_serving(world: World) -> None:
    """A new template that crashes never replaces what works, and the status says what it died of."""
    await world.serve()
    await eventually(lambda: world.is_ready(1), 10)
    await world.apply(deployment(colour="blue", code="raise SystemExit(7)"))
    await eventually(lambda: any("exit code 7" in pod.message for pod in world.pods), 10)
    assert (await world.ask())["env"]["COLOUR"] == "red"
    progressing = next(it for it in world.status["conditions"] if it["type"] == "Progressing")
    assert progressing["reason"] == "ReplicaSetUpdated"


async def test_a_port_taken_on_all_addresses_is_stepped_around(state: State) -> None:
    """When another program has port 8080 of every address, pods listen elsewhere and Services still find them."""
    import socket

    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("", 0))
        other.listen()
        world = World(state)
        taken = other.getsockname()[1]
        made = deployment()
        made["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = taken
        try:
            for obj in ({**CONFIG, "data": {"PORT": str(taken)}}, SERVICE, made):
                await world.apply(obj)
            await eventually(lambda: world.is_ready(1), 10)
            assert int((await world.ask())["env"]["PORT"]) != taken
        finally:
            await world.platform.close()


async def test_nothing_outlives_a_close(world: World) -> None:
    """Closing ends every process, gives back the addresses and closes the ports."""
    await world.serve(replicas=2)
    await eventually(lambda: world.is_ready(2), 10)
    pids = [pod.pid for pod in world.pods]
    port = int(world.url.rsplit(":", 1)[1])
    await world.platform.close()
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)
    free = listening(port)
    assert free is not None
    free.close()


async def test_ports_are_remembered(world: World, state: State) -> None:
    """The next start gives the same address to the same port; a port taken meanwhile is replaced."""
    url = world.url
    await world.platform.close()
    again = World(state)
    assert again.url == url
    await again.platform.close()
    taken = listening(int(url.rsplit(":", 1)[1]))
    assert taken is not None
    third = World(state)
    assert third.url != url
    await third.platform.close()
    taken.close()


async def test_large_bodies_pass_both_ways_at_once(world: World) -> None:
    """A Service carries 20 uploads of 5 MB at once, without holding them in memory."""
    await world.serve()
    await eventually(lambda: world.is_ready(1), 10)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        body = os.urandom(5_000_000)
        answers = await asyncio.gather(*(client.post(world.url, content=body) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    ("code", "backoff", "condition", "words"),
    [
        ("raise SystemExit(0)", 0, "Complete", ""),
        ("raise SystemExit(3)", 0, "Failed", "last with exit code 3"),
        ("raise SystemExit(1)", 1, "Failed", "It failed 2 times"),
        (f"{TRY}; raise SystemExit(first)", 1, "Complete", ""),
    ],
    ids=["succeeds", "fails", "fails twice", "succeeds the second time"],
)
async def test_a_job_runs_to_its_end(world: World, code: str, backoff: int, condition: str, words: str) -> None:
    """A Job ends Complete, or Failed with the reason when its retries are used up, and wakes the operator."""
    await world.apply(job(code, backoff))

    def conditions() -> list[dict[str, str]]:
        stored = world.platform.objects.get(Key("Job", NAMESPACE, "job")) or {}
        return list(stored.get("status", {}).get("conditions", []))

    found = await eventually(conditions, 10)
    assert [it["type"] for it in found] == [condition]
    assert words in found[0].get("message", "")
    assert world.woken


async def test_a_job_past_its_deadline_fails(world: World) -> None:
    """A Job that runs too long is ended and says so."""
    await world.apply(job("import time; time.sleep(600)", activeDeadlineSeconds=0.5))

    def failed() -> bool:
        stored = world.platform.objects.get(Key("Job", NAMESPACE, "job")) or {}
        return any(it["reason"] == "DeadlineExceeded" for it in stored.get("status", {}).get("conditions", []))

    await eventually(failed, 10)


async def test_a_finished_job_does_not_run_again(world: World, state: State) -> None:
    """A Job that was done stays done over a restart."""
    await world.apply(job("import pathlib; pathlib.Path('../../../runs').open('a').write('x')"))
    key = Key("Job", NAMESPACE, "job")
    await eventually(lambda: (world.platform.objects.get(key) or {}).get("status", {}).get("succeeded"), 10)
    await world.platform.close()
    again = World(state)
    again.platform.resume("demo")
    await again.platform.close()
    assert (state.root / "runs").read_text() == "x"


async def test_deleting_waits_for_the_processes(world: World) -> None:
    """A deleted object stays, marked, until its processes have ended; a namespace takes all in it along."""
    namespace = {"kind": "Namespace", "metadata": {**meta(NAMESPACE), "namespace": ""}}
    await world.apply(namespace)
    await world.serve()
    await eventually(lambda: world.is_ready(1), 10)
    pid = world.pods[0].pid
    assert pid
    live = world.platform.children("demo")
    await world.platform.delete(live[Key("Namespace", "", NAMESPACE)])
    still = world.platform.children("demo")[Key("Deployment", NAMESPACE, "web")]
    assert "deletionTimestamp" in still["metadata"]
    await eventually(lambda: not world.platform.children("demo"), 10)
    assert not psutil.pid_exists(pid)


async def test_strangers_objects_are_left_alone(world: World) -> None:
    """An object with another owner is not taken over, another's uid not deleted, and finalizers are as known."""
    owned = {**CONFIG, "metadata": meta("web", ownerReferences=[{"uid": "one"}])}
    await world.apply(owned)
    with pytest.raises(NotOurs):
        await world.apply({**CONFIG, "metadata": meta("web", ownerReferences=[{"uid": "two"}])})
    live = world.platform.children("demo")[Key("ConfigMap", NAMESPACE, "web")]
    await world.platform.delete({**live, "metadata": {**live["metadata"], "uid": "older"}})
    assert Key("ConfigMap", NAMESPACE, "web") in world.platform.children("demo")
    world.platform.submit({"kind": "ImageHostTenant", "metadata": {"name": "demo"}, "spec": {}})
    tenant = world.platform.tenants()["demo"]
    await world.platform.set_finalizers(tenant, ["one"])
    with pytest.raises(Changed):
        await world.platform.set_finalizers(tenant, ["two"])
