"""The node's certificates, and kubeconfig files made from them."""

import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from imghost_dev.certificates import Authority, Pair, write_key
from imghost_dev.cluster.local.layout import API_PORT, API_SERVICE, CLUSTER_DOMAIN, NODE_NAME

LIFETIME = timedelta(days=365)


@dataclass(frozen=True)
class Pki:
    """Certificates of servers and clients; every client has a kubeconfig named after its user."""

    authority: Path
    apiserver: Pair
    apiserver_to_kubelet: Pair
    front_proxy_authority: Path
    front_proxy: Pair
    kubelet: Pair
    service_accounts: Path
    controller_manager: Path
    scheduler: Path
    proxy: Path
    node: Path


def create(folder: Path, node: IPv4Address) -> Pki:
    """Make all certificates and keys for a node at this address."""
    front_proxy_folder = folder / "front-proxy"
    front_proxy_folder.mkdir(parents=True)
    authority, front_proxy = Authority(folder, LIFETIME), Authority(front_proxy_folder, LIFETIME)
    service_accounts = folder / "service-accounts.key"
    write_key(ec.generate_private_key(ec.SECP256R1()), service_accounts)
    server = f"https://{node}:{API_PORT}"

    def login(user: str, *groups: str) -> Path:
        return _kubeconfig(server, authority.certificate, authority.client(user, groups))

    login("admin", "system:masters")  # the provider knows the file by its name
    return Pki(
        authority=authority.certificate,
        apiserver=authority.server(_api_names(), [str(node), str(API_SERVICE), "127.0.0.1"], "apiserver"),
        apiserver_to_kubelet=authority.client("apiserver-to-kubelet", ["system:masters"]),
        front_proxy_authority=front_proxy.certificate,
        front_proxy=front_proxy.client("front-proxy"),
        kubelet=authority.server([NODE_NAME], [str(node), "127.0.0.1"], "kubelet"),
        service_accounts=service_accounts,
        controller_manager=login("system:kube-controller-manager"),
        scheduler=login("system:kube-scheduler"),
        proxy=login("system:kube-proxy"),
        node=login(f"system:node:{NODE_NAME}", "system:nodes"),
    )


def _api_names() -> list[str]:
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    return ["localhost", *service, f"kubernetes.default.svc.{CLUSTER_DOMAIN}"]


def _kubeconfig(server: str, authority: Path, pair: Pair) -> Path:
    """A kubeconfig with embedded certificates."""
    cluster = {"server": server, "certificate-authority-data": _encode(authority)}
    user = {"client-certificate-data": _encode(pair.certificate), "client-key-data": _encode(pair.key)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "imghost-local", "cluster": cluster}],
        "users": [{"name": "imghost-local", "user": user}],
        "contexts": [{"name": "imghost-local", "context": {"cluster": "imghost-local", "user": "imghost-local"}}],
        "current-context": "imghost-local",
    }
    path = pair.certificate.with_suffix(".kubeconfig")
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))  # every JSON document is YAML
    return path


def _encode(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
