"""What NetworkPolicies allow, worked out as the Kubernetes documentation defines it.

For clusters whose network does not enforce policies: the objects can still be proved right. A connection is allowed
when the source's policies let it out and the target's let it in. Policies add up; a pod that none selects for a
direction is open in that direction. See https://kubernetes.io/docs/concepts/services-networking/network-policies/.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Object = Mapping[str, Any]
Direction = Literal["ingress", "egress"]


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod with its labels and those of its namespace, or just an address."""

    address: str = ""
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, pod: Object, namespace: Object) -> "End":
        """A pod as the cluster knows it."""
        ports = {
            port["name"]: port["containerPort"]
            for container in pod["spec"]["containers"]
            for port in container.get("ports", ())
            if "name" in port
        }
        metadata = pod["metadata"]
        return cls(
            pod.get("status", {}).get("podIP", ""),
            metadata["namespace"],
            metadata.get("labels", {}),
            namespace["metadata"].get("labels", {}),
            ports,
        )


def allows(policies: Sequence[Object], source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection from `source` to that port of `target` may be made."""
    return _passes(policies, "egress", source, target, port, protocol) and _passes(
        policies, "ingress", target, source, port, protocol
    )


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; the empty one matches everything."""
    wanted = selector.get("matchLabels", {}).items()
    return wanted <= dict(labels).items() and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", ())
    )


def _passes(
    policies: Sequence[Object], direction: Direction, subject: End, peer: End, port: int, protocol: str
) -> bool:
    """Whether the policies of `subject` for that direction let `peer` through. `port` is always the target's."""
    if subject.namespace is None:
        return True
    about = [policy for policy in policies if _is_about(policy, direction, subject)]
    target = subject if direction == "ingress" else peer
    rules = [(policy, rule) for policy in about for rule in policy["spec"].get(direction) or ()]
    return not about or any(
        _fits_peer(policy, rule.get("from" if direction == "ingress" else "to"), peer)
        and _fits_port(rule.get("ports"), target, port, protocol)
        for policy, rule in rules
    )


def _is_about(policy: Object, direction: Direction, subject: End) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return (
        direction.capitalize() in types
        and policy["metadata"]["namespace"] == subject.namespace
        and selects(spec.get("podSelector") or {}, subject.labels)
    )


def _fits_peer(policy: Object, peers: Sequence[Object] | None, peer: End) -> bool:
    """An empty or missing list of peers means everybody."""
    return not peers or any(_is_peer(policy, allowed, peer) for allowed in peers)


def _is_peer(policy: Object, wanted: Object, peer: End) -> bool:
    if block := wanted.get("ipBlock"):
        return _is_in(peer.address, block["cidr"]) and not any(
            _is_in(peer.address, excluded) for excluded in block.get("except", ())
        )
    if peer.namespace is None:
        return False
    if "namespaceSelector" in wanted:
        in_namespace = selects(wanted["namespaceSelector"], peer.namespace_labels)
    else:
        in_namespace = peer.namespace == policy["metadata"]["namespace"]
    return in_namespace and selects(wanted.get("podSelector") or {}, peer.labels)


def _fits_port(ports: Sequence[Object] | None, target: End, port: int, protocol: str) -> bool:
    """An empty or missing list of ports means all."""
    return not ports or any(_is_port(allowed, target, port, protocol) for allowed in ports)


def _is_port(wanted: Object, target: End, port: int, protocol: str) -> bool:
    if wanted.get("protocol", "TCP") != protocol:
        return False
    first = wanted.get("port")
    if first is None:
        return True
    if isinstance(first, str):
        return target.ports.get(first) == port
    return bool(first <= port <= wanted.get("endPort", first))


def _is_in(address: str, network: str) -> bool:
    return bool(address) and ipaddress.ip_address(address) in ipaddress.ip_network(network)


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values", ())
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(f"a label selector has no operator {expression['operator']!r}")
