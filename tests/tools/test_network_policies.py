"""The evaluator of NetworkPolicies gives the answers of the Kubernetes documentation's own examples."""

from typing import Any

import pytest
import yaml

from support.e2e.policies import End, allows, selects

DEFAULT = {"kubernetes.io/metadata.name": "default"}
DB = End("10.0.0.1", "default", {"role": "db"}, DEFAULT, {"postgres": 6379})
FRONTEND = End("10.0.0.2", "default", {"role": "frontend"}, DEFAULT)
OTHER = End("10.0.0.3", "default", {"role": "other"}, DEFAULT)
MYPROJECT = End("10.1.0.1", "myproject", {}, {"project": "myproject"})
ELSEWHERE = End("10.2.0.1", "elsewhere", {"role": "frontend"}, {})

# The example of the page "Network Policies", section "The NetworkPolicy resource".
PAGE = """
metadata: {name: test-network-policy, namespace: default}
spec:
  podSelector: {matchLabels: {role: db}}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - ipBlock: {cidr: 172.17.0.0/16, except: [172.17.1.0/24]}
        - namespaceSelector: {matchLabels: {project: myproject}}
        - podSelector: {matchLabels: {role: frontend}}
      ports:
        - {protocol: TCP, port: 6379}
  egress:
    - to:
        - ipBlock: {cidr: 10.0.0.0/24}
      ports:
        - {protocol: TCP, port: 5978}
"""
DENY_INGRESS = "{metadata: {namespace: default}, spec: {podSelector: {}, policyTypes: [Ingress]}}"
ALLOW_INGRESS = "{metadata: {namespace: default}, spec: {podSelector: {}, ingress: [{}], policyTypes: [Ingress]}}"
DENY_EGRESS = "{metadata: {namespace: default}, spec: {podSelector: {}, policyTypes: [Egress]}}"
ALLOW_EGRESS = "{metadata: {namespace: default}, spec: {podSelector: {}, egress: [{}], policyTypes: [Egress]}}"
DENY_ALL = "{metadata: {namespace: default}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}"
# "Behavior of to and from selectors": a namespace and a pod selector in one element mean both, in two either.
BOTH = """
metadata: {namespace: default}
spec:
  podSelector: {}
  ingress:
    - from:
        - namespaceSelector: {matchLabels: {user: alice}}
          podSelector: {matchLabels: {role: client}}
"""
EITHER = BOTH.replace("          podSelector", "        - podSelector")
# "Targeting a range of ports".
RANGE = """
metadata: {namespace: default}
spec:
  podSelector: {matchLabels: {role: db}}
  policyTypes: [Egress]
  egress:
    - to: [{ipBlock: {cidr: 10.0.0.0/24}}]
      ports: [{protocol: TCP, port: 32000, endPort: 32768}]
"""
NAMED = """
metadata: {namespace: default}
spec: {podSelector: {}, ingress: [{ports: [{port: postgres}]}]}
"""
ALICES_CLIENT = End("10.3.0.1", "alice", {"role": "client"}, {"user": "alice"})
ALICES_OTHER = End("10.3.0.2", "alice", {}, {"user": "alice"})
CLIENT_HERE = End("10.0.0.9", "default", {"role": "client"}, DEFAULT)


def _policies(*texts: str) -> list[Any]:
    return [yaml.safe_load(text) for text in texts]


@pytest.mark.parametrize(
    ("source", "port", "allowed"),
    [
        (FRONTEND, 6379, True),
        (MYPROJECT, 6379, True),
        (End("172.17.0.5"), 6379, True),
        (End("172.17.2.5"), 6379, True),
        (End("172.17.1.5"), 6379, False),
        (End("192.168.0.1"), 6379, False),
        (OTHER, 6379, False),
        (ELSEWHERE, 6379, False),
        (FRONTEND, 6380, False),
    ],
)
def test_the_pages_example_lets_in_what_it_says(source: End, port: int, allowed: bool) -> None:
    """The three kinds of peers reach port 6379 of the database's pods, and no other peer reaches anything."""
    assert allows(_policies(PAGE), source, DB, port) is allowed


@pytest.mark.parametrize(
    ("target", "port", "allowed"),
    [(OTHER, 5978, True), (End("10.0.0.200"), 5978, True), (OTHER, 80, False), (End("10.0.1.1"), 5978, False)],
)
def test_the_pages_example_lets_out_what_it_says(target: End, port: int, allowed: bool) -> None:
    """The database's pods reach port 5978 of 10.0.0.0/24 and nothing else."""
    assert allows(_policies(PAGE), DB, target, port) is allowed


@pytest.mark.parametrize(
    ("policies", "inwards", "outwards"),
    [
        ([], True, True),
        ([DENY_INGRESS], False, True),
        ([ALLOW_INGRESS], True, True),
        ([DENY_EGRESS], True, False),
        ([ALLOW_EGRESS], True, True),
        ([DENY_ALL], False, False),
        ([DENY_ALL, ALLOW_INGRESS], True, False),
        ([DENY_ALL, ALLOW_EGRESS], False, True),
    ],
)
def test_default_policies_apply_to_a_whole_namespace(policies: list[str], inwards: bool, outwards: bool) -> None:
    """The page's default policies close or open a direction for a whole namespace, and policies add up."""
    assert allows(_policies(*policies), ELSEWHERE, OTHER, 80) is inwards
    assert allows(_policies(*policies), OTHER, ELSEWHERE, 80) is outwards


def test_egress_and_ingress_must_both_allow() -> None:
    """An open egress does not help where the target's ingress is closed."""
    assert not allows(_policies(ALLOW_EGRESS, DENY_INGRESS), FRONTEND, DB, 80)


@pytest.mark.parametrize(
    ("policy", "source", "allowed"),
    [
        (BOTH, ALICES_CLIENT, True),
        (BOTH, ALICES_OTHER, False),
        (BOTH, CLIENT_HERE, False),
        (EITHER, ALICES_CLIENT, True),
        (EITHER, ALICES_OTHER, True),
        (EITHER, CLIENT_HERE, True),
        (EITHER, OTHER, False),
    ],
)
def test_selectors_in_one_element_or_two(policy: str, source: End, allowed: bool) -> None:
    """Selectors of one element must both match; elements are alternatives."""
    assert allows(_policies(policy), source, DB, 80) is allowed


@pytest.mark.parametrize(("port", "allowed"), [(31999, False), (32000, True), (32768, True), (32769, False)])
def test_a_range_of_ports(port: int, allowed: bool) -> None:
    """`endPort` opens all ports up to it."""
    assert allows(_policies(RANGE), DB, End("10.0.0.7"), port) is allowed


def test_a_named_port_is_the_targets() -> None:
    """A port's name stands for the number that the target's container gives it; other protocols stay closed."""
    assert allows(_policies(NAMED), OTHER, DB, 6379)
    assert not allows(_policies(NAMED), OTHER, DB, 5432)
    assert not allows(_policies(NAMED), OTHER, FRONTEND, 6379)
    assert not allows(_policies(NAMED), OTHER, DB, 6379, "UDP")


@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        ({"key": "tier", "operator": "In", "values": ["cache", "backend"]}, True),
        ({"key": "tier", "operator": "NotIn", "values": ["cache"]}, True),
        ({"key": "environment", "operator": "NotIn", "values": ["dev"]}, True),
        ({"key": "tier", "operator": "Exists"}, True),
        ({"key": "tier", "operator": "DoesNotExist"}, False),
        ({"key": "environment", "operator": "DoesNotExist"}, True),
        ({"key": "environment", "operator": "In", "values": ["dev"]}, False),
    ],
)
def test_set_based_selectors(expression: dict[str, Any], matches: bool) -> None:
    """Expressions select as the page "Labels and Selectors" says."""
    assert selects({"matchExpressions": [expression]}, {"tier": "backend"}) is matches
