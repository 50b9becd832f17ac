"""How the operator logs in by a kubeconfig: with credential plugins on a real API server, and never anonymously."""

import base64
import json
import secrets
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from imghost_operator import kubeconfig
from imghost_operator.errors import PlatformDown
from imghost_operator.exec_plugin import BadKubeconfig
from imghost_operator.kubernetes_client import KubernetesClient
from imghost_operator.metrics import Metrics
from support.kube import Kube

V1 = "client.authentication.k8s.io/v1"
SCRIPT = """#!/bin/sh
echo "$KUBERNETES_EXEC_INFO" >> "$0.runs"
number=$(wc -l < "$0.runs")
cat "$0.$number" 2>/dev/null || cat "$0.answer"
"""


class Plugin:
    """A credential plugin, a kubeconfig that uses it, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.program = folder, folder / "plugin"
        self.program.write_text(SCRIPT)
        self.program.chmod(stat.S_IRWXU)

    def respond(self, run: int | None = None, **status: Any) -> None:
        """What it prints from now on, or at one run."""
        body = {"apiVersion": V1, "kind": "ExecCredential", "status": status}
        self.folder.joinpath(f"plugin.{run or 'answer'}").write_text(json.dumps(body))

    def kubeconfig(self, cluster: dict[str, Any], **more: Any) -> Path:
        plugin = {"apiVersion": V1, "command": "./plugin", "interactiveMode": "Never", **more}
        return write_kubeconfig(self.folder, {"exec": plugin}, cluster)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What it received, run by run."""
        log = self.folder / "plugin.runs"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path)


def write_kubeconfig(folder: Path, user: dict[str, Any], cluster: dict[str, Any]) -> Path:
    """A kubeconfig with one user."""
    config = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "config"
    path.write_text(json.dumps(config))
    return path


def cluster_of(kube: Kube) -> dict[str, Any]:
    return {"server": kube.server, "certificate-authority-data": base64.b64encode(kube.ca.read_bytes()).decode()}


@pytest.fixture
def token(kube: Kube) -> str:
    """The token of a service account that may read ConfigMaps, and nothing else."""
    name = f"login-{secrets.token_hex(4)}"
    kube.kubectl("create", "serviceaccount", name, "-n", "default")
    kube.kubectl("create", "clusterrole", name, "--verb=get,list", "--resource=configmaps")
    kube.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount=default:{name}")
    return kube.kubectl("create", "token", name, "-n", "default").strip()


def soon(**after: float) -> str:
    return (datetime.now(UTC) + timedelta(**after)).isoformat(timespec="seconds").replace("+00:00", "Z")


async def test_a_plugin_gives_the_token(kube: Kube, plugin: Plugin, token: str) -> None:
    """The program that a kubeconfig names logs the operator in; while its token is valid it runs once."""
    plugin.respond(token=token, expirationTimestamp=soon(hours=1))
    connection = kubeconfig.load(plugin.kubeconfig(cluster_of(kube)))
    async with KubernetesClient(connection, Metrics()) as client:
        for _ in range(3):
            await client.list("ConfigMap")
    assert [run["spec"] for run in plugin.runs] == [{"interactive": False}]
    assert token not in repr(connection)
    assert token not in repr(connection.plugin.credential() if connection.plugin else "")


async def test_a_plugin_runs_again_before_its_token_expires(kube: Kube, plugin: Plugin, token: str) -> None:
    """A token that is about to expire is replaced before the next request."""
    plugin.respond(1, token=token, expirationTimestamp=soon(seconds=5))
    plugin.respond(token=token, expirationTimestamp=soon(hours=1))
    async with KubernetesClient(kubeconfig.load(plugin.kubeconfig(cluster_of(kube))), Metrics()) as client:
        for _ in range(3):
            await client.list("ConfigMap")
    assert len(plugin.runs) == 2


async def test_a_rejected_token_is_replaced(kube: Kube, plugin: Plugin, token: str) -> None:
    """A token that the API server rejects, though it has not expired, is asked for again at the next request."""
    plugin.respond(1, token="revoked")
    plugin.respond(token=token)
    async with KubernetesClient(kubeconfig.load(plugin.kubeconfig(cluster_of(kube))), Metrics()) as client:
        with pytest.raises(PlatformDown):
            await client.list("ConfigMap")
        await client.list("ConfigMap")
    assert len(plugin.runs) == 2


async def test_a_plugin_that_fails_later_is_an_outage(kube: Kube, plugin: Plugin, token: str) -> None:
    """When no new token is to be had requests fail like those to a server that is down, and then recover."""
    plugin.respond(token=token)
    (plugin.folder / "plugin.2").write_text("no JSON")
    connection = kubeconfig.load(plugin.kubeconfig(cluster_of(kube)))
    async with KubernetesClient(connection, Metrics()) as client:
        await client.list("ConfigMap")
        assert connection.plugin
        connection.plugin.forget()
        with pytest.raises(PlatformDown, match="printed no ExecCredential"):
            await client.list("ConfigMap")
        await client.list("ConfigMap")


async def test_a_plugin_gives_a_client_certificate(kube: Kube, plugin: Plugin) -> None:
    """A certificate with its key is as good as a token, also the next one that the plugin is asked for."""
    user = yaml.safe_load(kube.login("admin", "system:masters").read_text())["users"][0]["user"]
    pair = {
        "clientCertificateData": Path(user["client-certificate"]).read_text(),
        "clientKeyData": Path(user["client-key"]).read_text(),
    }
    plugin.respond(**pair)
    connection = kubeconfig.load(plugin.kubeconfig(cluster_of(kube)))
    async with KubernetesClient(connection, Metrics()) as client:
        await client.list("Secret")
        assert connection.plugin
        connection.plugin.forget()
        await client.list("Secret")
    assert len(plugin.runs) == 2


def test_a_plugin_learns_about_the_cluster_if_it_asks(plugin: Plugin) -> None:
    """`provideClusterInfo` passes address, authority and the plugin's own settings; variables and arguments arrive."""
    plugin.respond(token="t")
    (plugin.folder / "plugin").write_text(f'#!/bin/sh\necho "$1 $REALM" > {plugin.folder}/seen\n{SCRIPT[10:]}')
    settings = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "imghost"}}]
    cluster = {"server": "https://example.invalid", "certificate-authority-data": "", "extensions": settings}
    env = [{"name": "REALM", "value": "photos"}]
    kubeconfig.load(plugin.kubeconfig(cluster, provideClusterInfo=True, args=["get-token"], env=env))
    (run,) = plugin.runs
    assert run["spec"]["cluster"]["server"] == "https://example.invalid"
    assert run["spec"]["cluster"]["config"] == {"audience": "imghost"}
    assert (plugin.folder / "seen").read_text() == "get-token photos\n"


@pytest.mark.parametrize(
    ("exec_", "complaint"),
    [
        ({"command": "no-such-program", "installHint": "Install it from\nhere."}, "No such file.*Install it from"),
        ({"command": "/bin/false"}, "exit code 1"),
        ({"command": "/bin/echo", "args": ["hello"]}, "printed no ExecCredential"),
        ({"command": "/bin/echo", "args": [json.dumps({"apiVersion": V1, "status": {}})]}, "neither a token nor"),
        ({"command": "/bin/echo", "args": [json.dumps({"status": {"token": "t"}})]}, "another version"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "v1alpha1; use client.authentication.k8s.io/v1 or"),
        ({"command": "/bin/true", "interactiveMode": "Always"}, "needs a terminal"),
    ],
)
def test_a_plugin_that_cannot_log_in_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exec_: dict[str, Any], complaint: str
) -> None:
    """A program that is missing, fails, prints nonsense or needs a person ends the start in one line."""
    monkeypatch.setattr("sys.stdin", None)
    plugin = {"apiVersion": V1, "command": "/bin/true", **exec_}
    path = write_kubeconfig(tmp_path, {"exec": plugin}, {"server": "https://example.invalid"})
    with pytest.raises(BadKubeconfig, match=complaint) as refused:
        kubeconfig.load(path)
    assert refused.value.detail.startswith(f"{path}: ")
    assert "\n" not in refused.value.detail


@pytest.mark.parametrize(
    ("user", "complaint"),
    [
        ({}, "no login"),
        ({"client-certificate-data": ""}, "no login"),
        ({"auth-provider": {"name": "oidc"}}, "`auth-provider`: .*`exec` plugin for OIDC"),
        ({"username": "admin", "password": "canary"}, "`username`"),
        ({"token": "canary", "as": "admin"}, "`as`: impersonation"),
        ({"tokenFile": "missing"}, "tokenFile cannot be read"),
    ],
)
def test_no_login_is_refused(tmp_path: Path, user: dict[str, Any], complaint: str) -> None:
    """A user whose login is missing or not understood is refused in one line that says what to do, never anonymous."""
    path = write_kubeconfig(tmp_path, user, {"server": "https://example.invalid"})
    with pytest.raises(BadKubeconfig, match=complaint) as refused:
        kubeconfig.load(path)
    assert "\n" not in refused.value.detail
    assert "canary" not in refused.value.detail


@pytest.mark.parametrize("key", ["proxy-url", "tls-server-name"])
def test_what_would_be_ignored_is_refused(tmp_path: Path, key: str) -> None:
    """Settings of the cluster that are not supported are named instead of ignored."""
    path = write_kubeconfig(tmp_path, {"token": "t"}, {"server": "https://example.invalid", key: "x"})
    with pytest.raises(BadKubeconfig, match=key):
        kubeconfig.load(path)


def test_a_token_file_lies_next_to_the_kubeconfig(tmp_path: Path) -> None:
    """A relative tokenFile is looked for where the kubeconfig is, and read again when it changed."""
    (tmp_path / "token").write_text("first\n")
    connection = kubeconfig.load(
        write_kubeconfig(tmp_path, {"tokenFile": "token"}, {"server": "https://example.invalid"})
    )
    assert connection.bearer() == "first"
    (tmp_path / "token").write_text("second\n")
    assert connection.bearer() == "second"
