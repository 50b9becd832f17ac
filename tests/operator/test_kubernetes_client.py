"""The door to the Kubernetes API, on a real one; and on a server that misbehaves on request."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from imghost_operator import kubeconfig
from imghost_operator import kubernetes_client as module
from imghost_operator.errors import (
    FieldConflict,
    ListExpired,
    ObjectNotFound,
    PlatformDown,
    PlatformRefused,
    StaleObject,
)
from imghost_operator.kubeconfig import BadKubeconfig, Connection
from imghost_operator.kubernetes_client import JSON_PATCH, KubernetesClient
from imghost_operator.metrics import Metrics
from imghost_operator.platform import Object
from support.kube import Kube
from support.metrics import value


def config(name: str, **data: str) -> Object:
    metadata = {"name": name, "namespace": "default", "labels": {"suite": name.rpartition("-")[0]}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.fixture
def metrics() -> Metrics:
    """The metrics of the clients of one test."""
    return Metrics()


@pytest.fixture
async def cluster(kube: Kube, metrics: Metrics) -> AsyncIterator[KubernetesClient]:
    async with KubernetesClient(kubeconfig.load(kube.kubeconfig), metrics) as made:
        yield made


@pytest.fixture
def name() -> str:
    return f"c{secrets.token_hex(4)}-0"


async def test_apply_creates_changes_and_reports_other_managers(
    cluster: KubernetesClient, kube: Kube, name: str
) -> None:
    """Server-side apply owns what it says; without force a field of another manager is a conflict that names it."""
    made = await cluster.apply(config(name, word="grün \u2028 \U0001f600"), force=False)
    assert made["data"]["word"] == "grün \u2028 \U0001f600"
    patch = json.dumps({"data": {"word": "theirs"}})
    kube.kubectl("patch", "configmap", name, "--type=merge", "-p", patch, "--field-manager=gitops")
    with pytest.raises(FieldConflict) as conflict:
        await cluster.apply(config(name, word="ours"), force=False)
    assert "gitops" in conflict.value.managers[0]
    forced = await cluster.apply(config(name, word="ours"), force=True)
    assert forced["data"] == {"word": "ours"}


async def test_writes_reach_only_the_object_that_was_looked_at(cluster: KubernetesClient, name: str) -> None:
    """After an object was created again, a delete or apply meant for the former one is refused."""
    first = await cluster.create(config(name))
    with pytest.raises(StaleObject):
        await cluster.create(config(name))
    await cluster.delete(first)
    with pytest.raises(ObjectNotFound):
        await cluster.delete(first)
    second = await cluster.create(config(name))
    with pytest.raises(StaleObject):
        await cluster.delete(first)
    stale = config(name, word="late")
    stale["metadata"]["uid"] = first["metadata"]["uid"]
    with pytest.raises(StaleObject):
        await cluster.apply(stale, force=True)
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": first["metadata"]["resourceVersion"]}
    with pytest.raises(StaleObject):
        await cluster.patch(second, [test, {"op": "add", "path": "/data", "value": {}}], JSON_PATCH)


async def test_lists_come_in_chunks(
    cluster: KubernetesClient, metrics: Metrics, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long list is read page by page and is whole; items know their kind."""
    monkeypatch.setattr(module, "CHUNK", 2)
    label = name.rpartition("-")[0]
    for number in range(5):
        await cluster.create(config(f"{label}-{number}"))
    found, version = await cluster.list("ConfigMap", selectors={"labelSelector": f"suite={label}"})
    assert [item["metadata"]["name"] for item in found] == [f"{label}-{number}" for number in range(5)]
    assert {(item["kind"], item["apiVersion"]) for item in found} == {("ConfigMap", "v1")}
    assert int(version) > 0
    assert value(metrics.api_requests, "list", "ConfigMap", "200") == 3


async def test_a_watch_reports_what_happens_after_a_list(cluster: KubernetesClient, name: str) -> None:
    """Events arrive in order, also of objects much larger than one read; only those of the selector."""
    label = name.rpartition("-")[0]
    _, version = await cluster.list("ConfigMap", selectors={"labelSelector": f"suite={label}"})
    seen: list[tuple[str, str]] = []

    async def watch() -> None:
        async for event, obj in cluster.watch("ConfigMap", version, selectors={"labelSelector": f"suite={label}"}):
            seen.append((event, obj["metadata"].get("name", "")))
            if event == "DELETED":
                return

    watching = asyncio.create_task(watch())
    made = await cluster.create(config(name, large="x" * 700_000))
    await cluster.create(config(f"other-{name}"))
    await cluster.apply(config(name, small="y"), force=True)
    await cluster.delete(made)
    await asyncio.wait_for(watching, 20)
    assert [event for event in seen if event[0] != "BOOKMARK"] == [
        ("ADDED", name),
        ("MODIFIED", name),
        ("DELETED", name),
    ]


async def test_a_version_that_is_no_longer_kept_means_list_again(cluster: KubernetesClient, kube: Kube) -> None:
    """After a restart the API server has forgotten old versions: the watch says so instead of leaving a gap."""
    kube.restart_apiserver()
    with pytest.raises(ListExpired):
        async for _ in cluster.watch("ConfigMap", "1"):
            pass


async def test_refusals_carry_the_servers_reason(cluster: KubernetesClient, kube: Kube, name: str) -> None:
    """What is invalid or not allowed is refused with the server's reason; a Secret's value is not in it."""
    with pytest.raises(PlatformRefused, match="422"):
        await cluster.create(config("Not_A_Name"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "UPPER", "namespace": "default"}}
    with pytest.raises(PlatformRefused) as refused:
        await cluster.create(secret | {"stringData": {"canary": "canary-value"}})
    assert "canary" not in refused.value.detail
    stranger = kubeconfig.load(kube.login(f"stranger-{name}"))
    async with KubernetesClient(stranger, Metrics()) as powerless:
        with pytest.raises(PlatformRefused, match="403"):
            await powerless.create(config(name))


async def test_a_server_without_a_trusted_certificate_is_refused(kube: Kube) -> None:
    """The server's certificate is verified; there is no way around it."""
    real = kubeconfig.load(kube.kubeconfig)
    async with KubernetesClient(
        Connection(real.server, certificate=real.certificate, private_key=real.private_key), Metrics()
    ) as client:
        with pytest.raises(PlatformDown, match="Certificate"):
            await client.get("Namespace", "", "default")


Answer = tuple[int, dict[str, str], str]


@asynccontextmanager
async def misbehaving(
    *responses: Answer, metrics: Metrics | None = None
) -> AsyncIterator[tuple[KubernetesClient, list[str]]]:
    """A cluster behind a server that gives these responses, one after another; and what it was asked."""
    left, asked = list(responses), []

    async def respond(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("Authorization", ""))
        status, headers, text = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(status=status, headers=headers, text=text)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    server = TestServer(app)
    await server.start_server()
    try:
        async with KubernetesClient(
            Connection(str(server.make_url("")).rstrip("/"), token="t"), metrics or Metrics()
        ) as made:
            yield made, asked
    finally:
        await server.close()


@pytest.mark.services
async def test_a_busy_server_is_waited_for_as_long_as_it_asks(metrics: Metrics) -> None:
    """429 is not a failure: the call is repeated after `Retry-After`."""
    busy: Answer = (429, {"Retry-After": "0"}, "")
    async with misbehaving(busy, (200, {}, '{"metadata": {"name": "x"}}'), metrics=metrics) as (cluster, asked):
        assert (await cluster.get("Namespace", "", "x"))["metadata"]["name"] == "x"
        assert asked == ["Bearer t", "Bearer t"]
        assert [value(metrics.api_requests, "get", "Namespace", code) for code in ("429", "200")] == [1, 1]


@pytest.mark.services
async def test_a_server_that_stays_busy_or_breaks_is_down() -> None:
    """Too many refusals for load, an internal error and a body that is no JSON are `PlatformDown`, never a crash."""
    busy: Answer = (429, {"Retry-After": "0"}, "")
    for broken in (busy, (503, {}, "<html>"), (500, {}, "{"), (401, {}, '{"reason": "Unauthorized"}')):
        async with misbehaving(broken) as (cluster, _):
            with pytest.raises(PlatformDown):
                await cluster.get("Namespace", "", "x")


@pytest.mark.services
async def test_a_silent_server_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer within the time-out, and a watch without even a bookmark, end; nothing hangs."""
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(module, "WATCH_SILENCE_SECONDS", 0.2)

    async def silence(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        await asyncio.Event().wait()
        return reply

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", silence)
    server = TestServer(app)
    await server.start_server()
    try:
        async with KubernetesClient(Connection(str(server.make_url("")).rstrip("/")), Metrics()) as cluster:
            with pytest.raises(PlatformDown):
                await cluster.get("Namespace", "", "x")
            with pytest.raises(PlatformDown, match="watch"):
                async for _ in cluster.watch("ConfigMap", "1"):
                    pass
    finally:
        await server.close()


def test_a_mounted_token_is_read_again(tmp_path: Path) -> None:
    """A service account's token is replaced while the process runs; the file's present content counts."""
    token = tmp_path / "token"
    token.write_text("first\n")
    connection = Connection("https://example.invalid", token_file=token)
    assert connection.bearer() == "first"
    token.write_text("second\n")
    assert connection.bearer() == "second"
    assert "first" not in repr(connection)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "contexts: []", "current-context: x\ncontexts: []\nclusters: []\nusers: []"],
)
def test_a_kubeconfig_that_says_nothing_is_refused(tmp_path: Path, text: str) -> None:
    """An empty or incomplete file is named, with what it lacks."""
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(BadKubeconfig, match="not a usable kubeconfig"):
        kubeconfig.load(file)


def test_a_kubeconfig_without_verification_is_refused(tmp_path: Path) -> None:
    """`insecure-skip-tls-verify` is not a way to run an operator."""
    file = tmp_path / "config"
    cluster = {"name": "c", "cluster": {"server": "https://example.invalid", "insecure-skip-tls-verify": True}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    user = {"name": "u", "user": {"token": "t"}}
    file.write_text(json.dumps({"current-context": "x", "contexts": [context], "clusters": [cluster], "users": [user]}))
    with pytest.raises(BadKubeconfig, match="verification"):
        kubeconfig.load(file)
