"""The command lines and configuration of what runs pods: containerd, kubelet, kube-proxy."""

import json
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from imghost_dev.cluster.local.layout import CLUSTER_DOMAIN, DNS_SERVICE, NODE_NAME, PODS, Layout
from imghost_dev.cluster.local.pki import Pki

CONTAINERD = "/run/containerd/containerd.sock"
CNI_PROGRAMS = "/usr/lib/cni"
PODS_AT_MOST = 250

# Everything in folders that only the node sees; nothing is pulled, for there is nowhere to pull from.
CONTAINERD_CONFIG = """version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]

[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true  # a negative one needs CAP_SYS_RESOURCE
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni_programs}"
conf_dir = "{cni_config}"
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"
discard_unpacked_layers = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""  # noqa: E501 - a list of TOML


def programs(
    find: Callable[[str], Path], layout: Layout, pki: Pki, node: IPv4Address, pause: str
) -> dict[str, list[str]]:
    """Name → command line, with the configuration written; `find` knows where a program is, `pause` is an image."""
    cni = layout.config / "cni"
    cni.mkdir()
    _write(cni / "10-pods.conflist", _cni())
    containerd = layout.config / "containerd.toml"
    containerd.write_text(CONTAINERD_CONFIG.format(pause=pause, cni_programs=CNI_PROGRAMS, cni_config=cni))
    kubelet = _write(layout.config / "kubelet.json", _kubelet(layout, pki))
    proxy = _write(layout.config / "proxy.json", _proxy(pki))
    return {
        "containerd": [str(find("containerd")), f"--config={containerd}"],
        "kubelet": [
            str(find("kubelet")),
            f"--config={kubelet}",
            f"--kubeconfig={pki.node}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={node}",
        ],
        "proxy": [str(find("kube-proxy")), f"--config={proxy}", f"--hostname-override={NODE_NAME}"],
    }


def _cni() -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni-addresses",
            "ranges": [[{"subnet": _first_node(PODS)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge, portmap]}


def _first_node(pods: str) -> str:
    """What the controller manager gives to the first and only node."""
    return pods.replace("/16", "/22")


def _kubelet(layout: Layout, pki: Pki) -> dict[str, Any]:
    resolver = layout.config / "resolv.conf"
    resolver.write_text("")  # there is no name server outside
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failCgroupV1": False,  # the default refuses machines that still have version 1
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "protectKernelDefaults": True,  # see init.KERNEL_SETTINGS
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "seccompDefault": True,
        "tlsCertFile": str(pki.kubelet.certificate),
        "tlsPrivateKeyFile": str(pki.kubelet.key),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.authority)},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDomain": CLUSTER_DOMAIN,
        "clusterDNS": [str(DNS_SERVICE)],
        "resolvConf": str(resolver),
        "maxPods": PODS_AT_MOST,
        "serializeImagePulls": False,
        # Images that were removed cannot be pulled again, and a developer's disk is often nearly full.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }


def _proxy(pki: Pki) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(pki.proxy)},
        "mode": "iptables",
        "clusterCIDR": PODS,
        # These belong to the whole machine and cannot be set from a network namespace.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "iptables": {"minSyncPeriod": "0s"},
    }


def _write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content, indent=1))  # every JSON document is YAML
    return path
