"""Changes that another client makes to a tenant's objects: kind, name, and operations of a JSON patch."""

from typing import Any

MEDDLING: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "another container": (
        "Deployment",
        "api",
        [{"op": "add", "path": "/spec/template/spec/containers/0", "value": {"name": "miner", "image": "miner:1"}}],
    ),
    "an init container": (
        "Deployment",
        "imaging",
        [
            {
                "op": "add",
                "path": "/spec/template/spec/initContainers",
                "value": [{"name": "first", "image": "x:1"}, {"name": "second", "image": "x:1"}],
            }
        ],
    ),
    "another variable": (
        "Deployment",
        "api",
        [
            {
                "op": "add",
                "path": "/spec/template/spec/containers/0/env/0",
                "value": {"name": "LD_PRELOAD", "value": "x"},
            },
            {"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "DEBUG", "value": "1"}},
        ],
    ),
    "another source of variables": (
        "Deployment",
        "api",
        [
            {
                "op": "add",
                "path": "/spec/template/spec/containers/0/envFrom/-",
                "value": {"secretRef": {"name": "database-owner"}},
            }
        ],
    ),
    "another image": (
        "Deployment",
        "api",
        [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1"}],
    ),
    "another Secret for a variable": (
        "Deployment",
        "api",
        [
            {
                "op": "replace",
                "path": "/spec/template/spec/containers/0/env/2/valueFrom/secretKeyRef/name",
                "value": "database-owner",
            }
        ],
    ),
    "another ConfigMap as files": (
        "Deployment",
        "api",
        [{"op": "replace", "path": "/spec/template/spec/volumes/1/configMap/name", "value": "evil"}],
    ),
    "another node label": (
        "Deployment",
        "api",
        [{"op": "add", "path": "/spec/template/spec/nodeSelector/x", "value": "y"}],
    ),
    "a toleration of everything": (
        "Deployment",
        "api",
        [{"op": "add", "path": "/spec/template/spec/tolerations/-", "value": {"operator": "Exists"}}],
    ),
    "a longer toleration": (
        "Deployment",
        "api",
        [{"op": "replace", "path": "/spec/template/spec/tolerations/1/tolerationSeconds", "value": 9}],
    ),
    "a narrower term": (
        "Deployment",
        "imaging",
        [
            {
                "op": "add",
                "path": "/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"
                "/nodeSelectorTerms/0/matchFields",
                "value": [{"key": "metadata.name", "operator": "In", "values": ["n"]}],
            }
        ],
    ),
    "pods of other namespaces": (
        "Deployment",
        "api",
        [
            {
                "op": "add",
                "path": "/spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution"
                "/0/namespaceSelector",
                "value": {},
            }
        ],
    ),
    "another spread": (
        "Deployment",
        "imaging",
        [
            {
                "op": "add",
                "path": "/spec/template/spec/topologySpreadConstraints/-",
                "value": {"maxSkew": 1, "topologyKey": "x", "whenUnsatisfiable": "DoNotSchedule"},
            }
        ],
    ),
    "fewer pods": ("Deployment", "api", [{"op": "replace", "path": "/spec/replicas", "value": 0}]),
    "another port": (
        "Service",
        "imaging",
        [{"op": "add", "path": "/spec/ports/-", "value": {"name": "x", "port": 99, "protocol": "TCP"}}],
    ),
    "a narrower selector": ("Service", "api", [{"op": "add", "path": "/spec/selector/x", "value": "y"}]),
    "a rule in the closed policy": (
        "NetworkPolicy",
        "default-deny",
        [{"op": "add", "path": "/spec/egress", "value": [{}]}],
    ),
    "a rule of the other direction": (
        "NetworkPolicy",
        "dns",
        [
            {"op": "add", "path": "/spec/ingress", "value": [{}]},
            {"op": "add", "path": "/spec/policyTypes/-", "value": "Ingress"},
        ],
    ),
    "another peer": (
        "NetworkPolicy",
        "http",
        [{"op": "add", "path": "/spec/ingress/0/from/-", "value": {"namespaceSelector": {}}}],
    ),
    "a policy for no pod": (
        "NetworkPolicy",
        "default-deny",
        [{"op": "add", "path": "/spec/podSelector/matchLabels", "value": {"a": "b"}}],
    ),
    "another setting": ("ConfigMap", "imaging", [{"op": "add", "path": "/data/JWT_SECRET", "value": "1"}]),
    "a wider limit": ("ConfigMap", "imaging", [{"op": "replace", "path": "/data/MAX_PIXELS", "value": "9"}]),
    "another secret": ("Secret", "api-signing", [{"op": "add", "path": "/data/JWT_SECRET", "value": "eA=="}]),
    "open Pod Security": (
        "Namespace",
        "imghost-meddling",
        [{"op": "replace", "path": "/metadata/labels/pod-security.kubernetes.io~1enforce", "value": "privileged"}],
    ),
    "more quota": ("ResourceQuota", "compute", [{"op": "replace", "path": "/spec/hard/pods", "value": "900"}]),
    "account with a token": (
        "ServiceAccount",
        "api",
        [{"op": "replace", "path": "/automountServiceAccountToken", "value": True}],
    ),
    "owner taken away": ("Service", "api", [{"op": "remove", "path": "/metadata/ownerReferences"}]),
}
