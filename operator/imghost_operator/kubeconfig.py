"""Address and credentials of the Kubernetes API, from a kubeconfig file or from the service account of the pod."""

import asyncio
import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from imghost_operator.exec_plugin import BadKubeconfig, ExecPlugin

__all__ = ["SERVICE_ACCOUNT", "BadKubeconfig", "Connection", "load"]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNSUPPORTED = {
    "auth-provider": "Kubernetes removed it; use an `exec` plugin for OIDC, such as kubelogin (kubectl oidc-login)",
    "username": "Kubernetes removed it; use a token or a client certificate",
    "as": "impersonation is not supported; log in as that user",
    "as-groups": "impersonation is not supported; log in with these groups",
    "as-uid": "impersonation is not supported; log in as that user",
    "proxy-url": "a proxy is not supported; give an address that is reached directly",
    "tls-server-name": "another name is not supported; give an address that the server's certificate names",
}
"""Keys of a user or cluster that would be ignored, which could mean to log in as another user."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection to the API server. Certificates and keys are PEM; tokens are read, and plugins run, repeatedly."""

    server: str
    ca: str | None = None
    certificate: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    plugin: ExecPlugin | None = None

    def bearer(self) -> str | None:
        """The current token; the kubelet replaces a mounted one about once an hour. Blocks while a plugin runs."""
        if self.plugin:
            return self.plugin.credential().token
        return self.token_file.read_text().strip() if self.token_file else self.token

    def tls(self) -> ssl.SSLContext:
        """A TLS context that verifies the server and presents the client certificate, if there is one."""
        context = ssl.create_default_context(cadata=self.ca)
        self._present(context, self.certificate, self.private_key)
        if self.plugin:
            credential = self.plugin.credential()
            self._present(context, credential.certificate, credential.private_key)
        return context

    async def renew(self, context: ssl.SSLContext) -> str | None:
        """The current token. Connections that are opened with `context` from now on present the current certificate."""
        if self.plugin and self.plugin.is_due:
            credential = await asyncio.to_thread(self.plugin.credential)
            self._present(context, credential.certificate, credential.private_key)
        return self.bearer()

    @staticmethod
    def _present(context: ssl.SSLContext, certificate: str | None, private_key: str | None) -> None:
        if certificate and private_key:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as pair:  # mode 0600; `ssl` only reads files
                pair.write(f"{certificate}\n{private_key}\n")
                pair.flush()
                context.load_cert_chain(pair.name)


def load(path: Path | None = None) -> Connection:
    """The connection of a kubeconfig: `path`, else `KUBECONFIG`, else the pod's own. Raises `BadKubeconfig`."""
    chosen = path or (Path(os.environ["KUBECONFIG"]) if os.environ.get("KUBECONFIG") else None)
    if chosen:
        return _from_file(chosen)
    if (SERVICE_ACCOUNT / "token").exists():
        return _in_cluster()
    default = Path.home() / ".kube" / "config"
    if default.exists():
        return _from_file(default)
    raise BadKubeconfig("No cluster is configured: set KUBECONFIG, or run in a pod with a service account.")


def _in_cluster() -> Connection:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise BadKubeconfig("KUBERNETES_SERVICE_HOST is not set although a service account is mounted.")
    address = f"[{host}]" if ":" in host else host
    return Connection(
        f"https://{address}:{port}",
        ca=(SERVICE_ACCOUNT / "ca.crt").read_text(),
        token_file=SERVICE_ACCOUNT / "token",
    )


def _from_file(path: Path) -> Connection:
    try:
        config = yaml.safe_load(path.read_text())
        context = _find(config["contexts"], config["current-context"], "context")
        cluster = _find(config["clusters"], context["cluster"], "cluster")
        user = _find(config["users"], context["user"], "user")
        server = str(cluster["server"])
        connection = Connection(
            server,
            ca=_pem(path, cluster, "certificate-authority"),
            certificate=_pem(path, user, "client-certificate"),
            private_key=_pem(path, user, "client-key"),
            token=user.get("token"),
            token_file=path.parent / user["tokenFile"] if user.get("tokenFile") else None,
            plugin=ExecPlugin(user["exec"], cluster, path.parent) if user.get("exec") else None,
        )
    except BadKubeconfig as error:
        raise BadKubeconfig(f"{path}: {error.detail}") from None
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError, binascii.Error) as error:
        raise BadKubeconfig(f"{path} is not a usable kubeconfig: {type(error).__name__} {error}.") from None
    if cluster.get("insecure-skip-tls-verify"):
        raise BadKubeconfig(f"{path} switches TLS verification off; give the cluster's CA instead.")
    for key in (*user, *cluster):
        if advice := _UNSUPPORTED.get(key):
            raise BadKubeconfig(f"{path} has `{key}`: {advice}.")
    _check_login(path, connection)
    return connection


def _check_login(path: Path, connection: Connection) -> None:
    """Reject a user without credentials: the operator must not run as `system:anonymous`."""
    if not (connection.certificate and connection.private_key) and not (
        connection.token or connection.token_file or connection.plugin
    ):
        raise BadKubeconfig(
            f"{path} has no login for its user: add a client certificate with its key, a token, a tokenFile, or exec."
        )
    try:
        connection.bearer()
    except OSError as error:
        raise BadKubeconfig(f"{path}: the tokenFile cannot be read ({error.strerror}).") from None
    except BadKubeconfig as error:
        raise BadKubeconfig(f"{path}: {error.detail}") from None


def _find(items: Iterable[dict[str, Any]], name: str, what: str) -> dict[str, Any]:
    for item in items:
        if item["name"] == name:
            return dict(item[what])
    raise KeyError(f"{what} {name}")


def _pem(path: Path, part: dict[str, Any], name: str) -> str | None:
    if data := part.get(f"{name}-data"):
        return base64.b64decode(data).decode()
    if file := part.get(name):
        return Path(path.parent, str(file)).read_text()
    return None
