"""The command lines of etcd and of Kubernetes' control plane."""

import json
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from imghost_dev.cluster.local.layout import API_PORT, PODS, SERVICES, Layout
from imghost_dev.cluster.local.pki import Pki

ETCD = "http://127.0.0.1:2379"
ETCD_PEER = "http://127.0.0.1:2380"
PROBE_SECONDS = 5  # seconds between the evaluations of autoscalers; the default is 15

Find = Callable[[str], Path]


def programs(find: Find, layout: Layout, pki: Pki, node: IPv4Address) -> dict[str, list[str]]:
    """Name → command line; `find` knows where a program is."""
    return {
        "etcd": [str(find("etcd")), *_etcd()],
        "apiserver": [str(find("kube-apiserver")), *_apiserver(layout, pki, node)],
        "controller-manager": [str(find("kube-controller-manager")), *_controller_manager(pki)],
        "scheduler": [str(find("kube-scheduler")), *_client(pki.scheduler)],
    }


def _etcd() -> list[str]:
    return [
        "--data-dir=/var/lib/etcd",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={ETCD_PEER}",
        f"--initial-advertise-peer-urls={ETCD_PEER}",
        f"--initial-cluster=default={ETCD_PEER}",
        "--unsafe-no-fsync",  # it need not outlive a power failure
    ]


def _apiserver(layout: Layout, pki: Pki, node: IPv4Address) -> list[str]:
    return [
        f"--etcd-servers={ETCD}",
        f"--advertise-address={node}",
        f"--secure-port={API_PORT}",
        f"--tls-cert-file={pki.apiserver.certificate}",
        f"--tls-private-key-file={pki.apiserver.key}",
        f"--client-ca-file={pki.authority}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--anonymous-auth=false",
        "--allow-privileged",  # as everywhere: Pod Security decides
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki.service_accounts}",
        f"--service-account-signing-key-file={pki.service_accounts}",
        f"--service-cluster-ip-range={SERVICES}",
        f"--kubelet-certificate-authority={pki.authority}",
        f"--kubelet-client-certificate={pki.apiserver_to_kubelet.certificate}",
        f"--kubelet-client-key={pki.apiserver_to_kubelet.key}",
        "--kubelet-preferred-address-types=InternalIP",  # no name server knows the node
        *_aggregation(pki),
        f"--audit-policy-file={_audit_policy(layout.config)}",
        "--audit-log-path=/var/log/audit.log",
    ]


def _aggregation(pki: Pki) -> list[str]:
    """How metrics-server knows that a request comes from the API server, and for whom."""
    return [
        f"--requestheader-client-ca-file={pki.front_proxy_authority}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki.front_proxy.certificate}",
        f"--proxy-client-key-file={pki.front_proxy.key}",
    ]


def _audit_policy(folder: Path) -> Path:
    """The audit policy: requests of service accounts only, which show the rights that the operator uses."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
            {"level": "None"},
        ],
    }
    path = folder / "audit-policy.yaml"
    path.write_text(json.dumps(policy))
    return path


def _controller_manager(pki: Pki) -> list[str]:
    return [
        *_client(pki.controller_manager),
        f"--service-account-private-key-file={pki.service_accounts}",
        f"--root-ca-file={pki.authority}",
        "--use-service-account-credentials",
        "--kube-api-qps=500",  # the default makes it take 4 s to start
        "--kube-api-burst=1000",
        "--allocate-node-cidrs",
        f"--cluster-cidr={PODS}",
        "--node-cidr-mask-size=22",
        f"--service-cluster-ip-range={SERVICES}",
        "--flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins",  # made by it where only the node sees it
        f"--horizontal-pod-autoscaler-sync-period={PROBE_SECONDS}s",
    ]


def _client(kubeconfig: Path) -> list[str]:
    """What the controller manager and the scheduler have in common."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    ]
