"""NetworkPolicies: deny all ingress and egress, then allow exactly what imghost needs.

A policy knows addresses, not names. Where a backend has a name inside the cluster its namespace is opened (a policy
sees the pod's port, not the Service's, so the port stays open too); an address opens that address; any other name,
whose addresses may change, opens its port to everywhere but the addresses of cloud metadata; `service.namespace`, which
may be either, opens both. The operator's settings can narrow that by CIDRs.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from imghost_operator.build_inputs import BuildInputs, ClusterFacts
from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_contract import HTTP_PORT, OPS_PORT
from imghost_operator.tenant_objects.meta import COMPONENT_LABEL, Owner

METRICS_LABEL = "imghost.dev/metrics"
"""Pods of a namespace with this label, set to "true", may scrape metrics."""

_NAMESPACE_NAME = "kubernetes.io/metadata.name"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NODE_LOCAL_DNS = "169.254.20.10/32"
_METADATA_NETWORKS = ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128")  # link-local; AWS, Google
_EVERYWHERE = ("0.0.0.0/0", "::/0")
_DNS_PORT = 53


def network(owner: Owner, spec: Spec, inputs: BuildInputs) -> list[Object]:
    """All NetworkPolicies."""
    database = _backend(inputs.database.hosts, inputs.database.networks)
    store = _store(inputs)
    own = {_NAMESPACE_NAME: owner.namespace}
    callers = [_namespace({_NAMESPACE_NAME: name}) for name in sorted(spec.network.ingress_from)]
    opened = [_peer(peer.cidr, peer.port) for peer in spec.network.egress_to]
    return [
        _policy(owner, "default-deny", {}, ingress=[], egress=[]),
        _policy(owner, "dns", {}, egress=_dns(inputs.cluster)),
        _policy(owner, "database", _pods("api", "imaging", "migrate", "worker"), egress=database),
        *([_policy(owner, "store", _pods("api", "imaging", "worker"), egress=store)] if store else []),
        *([_policy(owner, "egress", _pods("api", "imaging", "worker"), egress=opened)] if opened else []),
        _policy(
            owner,
            "http",
            _pods("api", "imaging"),
            ingress=[{"from": [_namespace(own), *callers], "ports": [_port(HTTP_PORT)]}],
        ),
        _policy(
            owner,
            "api-to-imaging",
            _pods("api"),
            egress=[{"to": [{"podSelector": _pods("imaging")}], "ports": [_port(OPS_PORT)]}],
        ),
        _policy(
            owner,
            "imaging-from-api",
            _pods("imaging"),
            ingress=[{"from": [{"podSelector": _pods("api")}], "ports": [_port(OPS_PORT)]}],
        ),
        _policy(
            owner,
            "metrics",
            _pods("api", "imaging", "worker"),
            ingress=[{"from": [_namespace({METRICS_LABEL: "true"})], "ports": [_port(OPS_PORT)]}],
        ),
    ]


def _policy(owner: Owner, name: str, selector: dict[str, Any], **directions: list[dict[str, Any]]) -> Object:
    rules = {direction: rules for direction, rules in directions.items() if rules}
    types = [direction.capitalize() for direction in directions]
    body = {"podSelector": selector, "policyTypes": types, **rules}
    return owner.build_object("networking.k8s.io/v1", "NetworkPolicy", name, {"spec": body})


def _pods(*components: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": COMPONENT_LABEL, "operator": "In", "values": list(components)}]}


def _namespace(labels: dict[str, str]) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": labels}}


def _port(number: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"port": number, "protocol": protocol}


def _dns(cluster: ClusterFacts) -> list[dict[str, Any]]:
    """A policy sees the port of the name server's pod, and that of the cache on the node."""
    servers, cache = _namespace({_NAMESPACE_NAME: cluster.dns_namespace}), {"ipBlock": {"cidr": _NODE_LOCAL_DNS}}
    if cluster.dns_port == _DNS_PORT:
        return [{"to": [servers, cache], "ports": _dns_ports(_DNS_PORT)}]
    return [{"to": [servers], "ports": _dns_ports(cluster.dns_port)}, {"to": [cache], "ports": _dns_ports(_DNS_PORT)}]


def _dns_ports(number: int) -> list[dict[str, Any]]:
    return [_port(number, "UDP"), _port(number)]


def _store(inputs: BuildInputs) -> list[dict[str, Any]]:
    if not (endpoint := inputs.store.config.get("S3_ENDPOINT")):
        return []
    parts = urlsplit(endpoint)
    return _backend([(parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme])], inputs.store.networks)


def _backend(hosts: Sequence[tuple[str, int]], networks: tuple[str, ...]) -> list[dict[str, Any]]:
    """The egress rules that reach these hosts, each once."""
    rules = [rule for host, port in hosts if not host.startswith("/") for rule in _host(host, port, networks)]
    return [rule for index, rule in enumerate(rules) if rule not in rules[:index]]


def _host(host: str, port: int, networks: tuple[str, ...]) -> list[dict[str, Any]]:
    ports = [_port(port)]
    if networks:
        return [{"to": [_closed_cidr(network) for network in networks], "ports": ports}]
    if namespace := _cluster_namespace(host):
        return [{"to": [_namespace({_NAMESPACE_NAME: namespace})]}]
    if address := _address(host):
        return [{"to": [_cidr(f"{address}/{address.max_prefixlen}")], "ports": ports}]
    outside = {"to": [_closed_cidr(every) for every in _EVERYWHERE], "ports": ports}
    if namespace := _possible_namespace(host):  # not every network plugin counts pods among addresses
        return [{"to": [_namespace({_NAMESPACE_NAME: namespace})]}, outside]
    return [outside]


def _peer(cidr: str, port: int) -> dict[str, Any]:
    """The egress rule of an entry of the spec."""
    return {"to": [_closed_cidr(cidr)], "ports": [_port(port)]}


def _closed_cidr(cidr: str) -> dict[str, Any]:
    """A block of addresses, without those of cloud metadata where it contains them."""
    block = ipaddress.ip_network(cidr, strict=False)
    closed = [each for each in map(ipaddress.ip_network, _METADATA_NETWORKS) if each.version == block.version]
    inside = [str(each) for each in closed if each.overlaps(block) and each.prefixlen > block.prefixlen]
    return _cidr(str(block), inside)


def _cidr(network: str, without: Sequence[str] = ()) -> dict[str, Any]:
    return {"ipBlock": {"cidr": network, **({"except": [*without]} if without else {})}}


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _cluster_namespace(host: str) -> str | None:
    """The namespace in `[pod.]service.namespace.svc[.cluster.local]`."""
    labels = host.rstrip(".").split(".")
    return labels[labels.index("svc", 2) - 1] if "svc" in labels[2:] else None


def _possible_namespace(host: str) -> str | None:
    """The namespace in `service.namespace`, which may as well be a name outside the cluster."""
    labels = host.rstrip(".").split(".")
    return labels[1] if len(labels) == 2 else None  # noqa: PLR2004
