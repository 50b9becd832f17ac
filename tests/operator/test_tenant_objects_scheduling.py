"""Where pods of a tenant run, and what they use of others: what is built for these parts of the spec."""

from typing import Any

import pytest

from imghost_operator import diff
from imghost_operator.crd import OWNED_SECRETS
from imghost_operator.platform import Object, ObjectRef
from support.tenants import inputs, objects, only

HERE, THERE = {"nodeSelector": {"pool": "here"}}, {"tolerations": [{"key": "there", "operator": "Exists"}]}


def pods(made: dict[ObjectRef, Object]) -> dict[str, dict[str, Any]]:
    """The spec of each workload's pods by its component; those of both migrations are alike."""
    found = [obj for ref, obj in made.items() if ref.kind in {"Deployment", "Job"}]
    return {obj["metadata"]["labels"]["app.kubernetes.io/component"]: obj["spec"]["template"]["spec"] for obj in found}


def test_the_operators_secrets_are_those_that_cannot_be_named() -> None:
    """The names that the spec refuses are those of the Secrets that are built, with pull credentials too."""
    built = {ref.name for ref in objects(given=inputs(registries="{}")) if ref.kind == "Secret"}
    assert built == set(OWNED_SECRETS)


def test_all_pods_of_a_tenant_run_where_it_says() -> None:
    """Those of migrations too; nothing else of them changes."""
    plain, placed = pods(objects()), pods(objects(scheduling=HERE))
    assert plain.keys() == {"api", "worker", "imaging", "migrate"}
    assert placed == {name: pod | HERE for name, pod in plain.items()}


@pytest.mark.parametrize(
    ("part", "moved"), [("api", {"api", "migrate"}), ("worker", {"worker"}), ("imaging", {"imaging"})]
)
def test_a_workload_replaces_all_of_it(part: str, moved: set[str]) -> None:
    """Its own block counts instead of the tenant's, not in addition; migrations run where the api does."""
    plain, placed = pods(objects()), pods(objects(scheduling=HERE, **{part: {"scheduling": THERE}}))
    assert placed == {name: pod | (THERE if name in moved else HERE) for name, pod in plain.items()}
    emptied = pods(objects(scheduling=HERE, **{part: {"scheduling": {}}}))
    assert emptied == {name: pod | ({} if name in moved else HERE) for name, pod in plain.items()}


def test_terms_about_pods_are_about_those_of_the_same_workload() -> None:
    """A term without a selector gets that of each workload; one with a selector keeps it."""
    term, other = {"topologyKey": "a"}, {"topologyKey": "b", "labelSelector": {}}
    preferred = [{"weight": 1, "podAffinityTerm": term}]
    spread = {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}
    rules = {
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term, other]},
        "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred},
    }
    made = pods(objects(scheduling={"affinity": rules, "topologySpreadConstraints": [spread]}))
    for component, pod in made.items():
        own = {
            "matchLabels": {
                "app.kubernetes.io/name": "imghost",
                "app.kubernetes.io/instance": "demo",
                "app.kubernetes.io/component": component,
            }
        }
        assert pod["affinity"] == {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [term | {"labelSelector": own}, other]
            },
            "podAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "podAffinityTerm": term | {"labelSelector": own}}
                ]
            },
        }
        assert pod["topologySpreadConstraints"] == [spread | {"labelSelector": own}]


def test_migrations_elsewhere_are_other_jobs() -> None:
    """A Job that fits on no node is replaced when the spec is repaired, not waited for."""
    names = [{ref.name for ref in objects(scheduling=where) if ref.kind == "Job"} for where in (HERE, THERE)]
    assert not names[0] & names[1]


ACCOUNT = {"kind": "ServiceAccount", "metadata": {"annotations": {"imghost.dev/pull-secrets": "former,kept"}}}


@pytest.mark.parametrize(("asked", "expected"), [(["kept"], ["kept", "theirs"]), ([], ["theirs"])])
def test_pull_secrets_that_are_dropped_go_and_those_of_others_stay(asked: list[str], expected: list[str]) -> None:
    """The list is replaced as a whole, so what others added is sent too, but not what the spec once had."""
    live = ACCOUNT | {"imagePullSecrets": [{"name": name} for name in ("former", "kept", "theirs")]}
    spec = [{"name": name} for name in asked]
    desired = only(objects(imagePullSecrets=spec), "ServiceAccount", "api")
    sent = diff.with_shared(desired, live)
    assert [each["name"] for each in sent["imagePullSecrets"]] == expected
