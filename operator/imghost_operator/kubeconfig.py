"""Where the Kubernetes API is and who we are: a kubeconfig file, or the service account of the pod we run in."""

import base64
import os
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from imghost_core.errors import ImghostError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class BadKubeconfig(ImghostError):
    """The kubeconfig, or the pod's service account, does not say where the API is or who we are."""

    code = "bad_kubeconfig"


@dataclass(frozen=True, slots=True)
class Connection:
    """A way to the API server. Certificates and keys are PEM; `token_file` is read anew for every request's use."""

    server: str
    ca: str | None = None
    certificate: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None

    def bearer(self) -> str | None:
        """The token of now: a mounted one is replaced by the kubelet about once an hour."""
        return self.token_file.read_text().strip() if self.token_file else self.token

    def tls(self) -> ssl.SSLContext:
        """A context that verifies the server and shows our certificate, where there is one."""
        context = ssl.create_default_context(cadata=self.ca)
        if self.certificate and self.private_key:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as pair:  # mode 0600; `ssl` only reads files
                pair.write(f"{self.certificate}\n{self.private_key}\n")
                pair.flush()
                context.load_cert_chain(pair.name)
        return context


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
    raise BadKubeconfig("There is no way to a cluster: set KUBECONFIG, or run in a pod with a service account.")


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
        context = _named(config["contexts"], config["current-context"], "context")
        cluster = _named(config["clusters"], context["cluster"], "cluster")
        user = _named(config["users"], context["user"], "user")
        server = str(cluster["server"])
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise BadKubeconfig(f"{path} is not a usable kubeconfig: {type(error).__name__} {error}.") from error
    if cluster.get("insecure-skip-tls-verify"):
        raise BadKubeconfig(f"{path} switches TLS verification off; give the cluster's CA instead.")
    return Connection(
        server,
        ca=_pem(path, cluster, "certificate-authority"),
        certificate=_pem(path, user, "client-certificate"),
        private_key=_pem(path, user, "client-key"),
        token=user.get("token"),
        token_file=path.parent / user["tokenFile"] if user.get("tokenFile") else None,
    )


def _named(items: Iterable[dict[str, Any]], name: str, what: str) -> dict[str, Any]:
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
