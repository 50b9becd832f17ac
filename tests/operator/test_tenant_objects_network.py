"""Who may reach whom: the NetworkPolicies, read as the network would."""

from dataclasses import replace
from typing import Any

import pytest

from imghost_operator.build_inputs import BuildInputs, ClusterFacts
from imghost_operator.platform import Object, ObjectRef
from support.tenants import FILES, inputs, objects

API, IMAGING, MIGRATE, WORKER = "api", "imaging", "migrate", "worker"
EVERYWHERE = [
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
    {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128"]}},
]


def policies(made: dict[ObjectRef, Object]) -> list[dict[str, Any]]:
    return [obj["spec"] for key, obj in made.items() if key.kind == "NetworkPolicy"]


def rules(made: dict[ObjectRef, Object], component: str, direction: str) -> list[dict[str, Any]]:
    """The rules that hold for a component's pods; a component that no policy selects would be open."""
    chosen = [
        spec for spec in policies(made) if direction.capitalize() in spec["policyTypes"] and selects(spec, component)
    ]
    assert chosen, f"{component} is open: no policy of type {direction} selects it"
    return [rule for spec in chosen for rule in spec.get(direction, [])]


def selects(spec: dict[str, Any], component: str) -> bool:
    expressions = spec["podSelector"].get("matchExpressions", [])
    return all(component in expression["values"] for expression in expressions)


def ports(rule: dict[str, Any]) -> set[int]:
    return {port["port"] for port in rule.get("ports", [])}


def peers(found: list[dict[str, Any]], port: int, side: str) -> list[dict[str, Any]]:
    return [peer for rule in found if port in ports(rule) for peer in rule[side]]


def namespaces(found: list[dict[str, Any]]) -> set[str]:
    return {value for peer in found for value in peer.get("namespaceSelector", {}).get("matchLabels", {}).values()}


@pytest.mark.parametrize("component", [API, IMAGING, MIGRATE, WORKER])
def test_everything_is_closed_both_ways_first(component: str) -> None:
    """Every pod is selected by policies of both directions, so what is not opened is closed."""
    made = objects()
    rules(made, component, "ingress")
    rules(made, component, "egress")
    assert rules(made, MIGRATE, "ingress") == []


def test_images_are_reached_from_own_and_named_namespaces_only() -> None:
    """The HTTP port is open to the tenant's own pods and to the namespaces in network.ingressFrom."""
    for component in (API, IMAGING):
        closed = peers(rules(objects(), component, "ingress"), 8080, "from")
        assert namespaces(closed) == {"imghost-demo"}
        opened = peers(rules(objects(network={"ingressFrom": ["gateway"]}), component, "ingress"), 8080, "from")
        assert namespaces(opened) == {"imghost-demo", "gateway"}


def test_the_worker_is_reached_by_monitoring_only() -> None:
    """The worker has no Service: only pods of namespaces labelled for metrics reach its ops port; it reaches names,
    its database, its store and what the tenant asks for, not imaging's internal port.
    """
    ingress = rules(objects(), WORKER, "ingress")
    assert peers(ingress, 9090, "from") == [{"namespaceSelector": {"matchLabels": {"imghost.dev/metrics": "true"}}}]
    assert not peers(ingress, 8080, "from")
    made = objects(network={"egressTo": [{"cidr": "10.9.8.7/16", "port": 4317}]})
    egress = rules(made, WORKER, "egress")
    reached = [peer for rule in egress for peer in rule["to"]]
    assert namespaces(reached) == {"kube-system", "databases", "storage"}
    assert peers(egress, 4317, "to") == [{"ipBlock": {"cidr": "10.9.0.0/16"}}]
    assert not peers(egress, 9090, "to")


def test_the_internal_port_is_for_the_api_and_monitoring() -> None:
    """Imaging's ops port takes the api's calls; beyond it only pods of namespaces labelled for metrics."""
    found = peers(rules(objects(), IMAGING, "ingress"), 9090, "from")
    assert {"namespaceSelector": {"matchLabels": {"imghost.dev/metrics": "true"}}} in found
    others = [peer for peer in found if "namespaceSelector" not in peer]
    assert [peer["podSelector"]["matchExpressions"][0]["values"] for peer in others] == [["api"]]


def test_imaging_calls_only_its_backends() -> None:
    """The process that decodes strangers' bytes reaches names, its database and its store, nothing else."""
    found = rules(objects(), IMAGING, "egress")
    assert namespaces([peer for rule in found for peer in rule["to"]]) == {"kube-system", "databases", "storage"}
    assert not peers(found, 9090, "to")


def test_ways_out_that_the_tenant_asks_for() -> None:
    """A collector of traces can be reached by api and imaging and not by migrations; cloud metadata never."""
    asked = [
        {"cidr": "10.9.8.7/16", "port": 4317},
        {"cidr": "168.0.0.0/7", "port": 443},
        {"cidr": "::/0", "port": 8443},
    ]
    made = objects(network={"egressTo": asked})
    for component in (API, IMAGING):
        found = rules(made, component, "egress")
        assert peers(found, 4317, "to") == [{"ipBlock": {"cidr": "10.9.0.0/16"}}]
        assert peers(found, 443, "to") == [{"ipBlock": {"cidr": "168.0.0.0/7", "except": ["169.254.0.0/16"]}}]
        assert peers(found, 8443, "to") == [
            {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128"]}}
        ]
    assert rules(made, MIGRATE, "egress") == rules(objects(), MIGRATE, "egress")


def test_migrations_reach_the_database_only() -> None:
    """The migration has no way to the store."""
    found = rules(objects(), MIGRATE, "egress")
    assert namespaces([peer for rule in found for peer in rule["to"]]) == {"kube-system", "databases"}


@pytest.mark.parametrize(
    ("given", "port", "expected"),
    [
        (inputs(database_host="10.1.2.3:6432"), 6432, [{"ipBlock": {"cidr": "10.1.2.3/32"}}]),
        (inputs(database_host="[fd00::7]:5432"), 5432, [{"ipBlock": {"cidr": "fd00::7/128"}}]),
        (inputs(database_host="pg.example.com"), 5432, EVERYWHERE),
        (
            inputs(database_host="pg.example.com", database_networks=("10.2.0.0/16",)),
            5432,
            [{"ipBlock": {"cidr": "10.2.0.0/16"}}],
        ),
        (inputs(database_host="pg.example.com", database_networks=("0.0.0.0/0", "::/0")), 5432, EVERYWHERE),
    ],
)
def test_backends_outside_are_opened_as_narrowly_as_known(
    given: BuildInputs, port: int, expected: list[dict[str, Any]]
) -> None:
    """An address is opened alone; a mere name opens its port everywhere but at cloud metadata; known networks win."""
    assert peers(rules(objects(given=given), API, "egress"), port, "to") == expected


@pytest.mark.parametrize(
    ("host", "namespace", "is_surely_inside"),
    [
        ("pg.databases.svc", "databases", True),
        ("pg.databases.svc.cluster.local", "databases", True),
        ("pg.databases.svc.cluster.local.", "databases", True),
        ("pg-0.pg.databases.svc.example.org", "databases", True),
        ("svc.databases.svc", "databases", True),
        ("pg.databases", "databases", False),
        ("pg.svc", "svc", False),
    ],
)
def test_backends_in_the_cluster_are_opened_by_namespace(host: str, namespace: str, is_surely_inside: bool) -> None:
    """A name of a Service opens its namespace; `name.namespace`, which may be a name outside too, its port as well."""
    found = rules(objects(given=inputs(database_host=host)), MIGRATE, "egress")
    assert namespaces([peer for rule in found for peer in rule["to"]]) == {"kube-system", namespace}
    assert (EVERYWHERE in [rule["to"] for rule in found]) is not is_surely_inside


def test_a_filesystem_store_needs_no_egress() -> None:
    """The filesystem store needs no network."""
    found = rules(objects(given=inputs(store=FILES)), IMAGING, "egress")
    assert namespaces([peer for rule in found for peer in rule["to"]]) == {"kube-system", "databases"}


def test_name_servers_elsewhere_are_reached_at_the_port_of_their_pods() -> None:
    """A policy sees the pod's port; the cache on the node keeps its own."""
    facts = ClusterFacts(dns_namespace="openshift-dns", dns_port=5353)
    found = rules(objects(given=replace(inputs(), cluster=facts)), API, "egress")
    assert namespaces(peers(found, 5353, "to")) == {"openshift-dns"}
    assert peers(found, 53, "to") == [{"ipBlock": {"cidr": "169.254.20.10/32"}}]


def test_every_host_of_the_database_is_reached() -> None:
    """Several hosts of one URL get a rule each, equal ones together."""
    hosts = (("10.1.2.3", 5432), ("10.1.2.4", 5433), ("10.1.2.3", 5432))
    given = replace(inputs(), database=replace(inputs().database, hosts=hosts))
    found = rules(objects(given=given), MIGRATE, "egress")
    assert peers(found, 5432, "to") == [{"ipBlock": {"cidr": "10.1.2.3/32"}}]
    assert peers(found, 5433, "to") == [{"ipBlock": {"cidr": "10.1.2.4/32"}}]
