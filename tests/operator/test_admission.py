"""A manifest is validated here as the cluster validates it: the same words, the same defaults."""

import copy
import re
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imghost_operator import admission, crd
from support.eventually import eventually
from support.kubeapi import Answer, KubeApi
from support.manifests import BAD, GOOD, manifest

_TWICE = re.compile(r"evaluating rule|(cpu|memory|maxInputBytes) in body must be of type integer: ")
_STRICT = re.compile(r".*strict decoding error: (?P<fields>.*)", re.DOTALL)


def create(cluster: KubeApi, body: dict[str, Any]) -> Answer:
    return cluster.request(
        "POST", f"/apis/{crd.API_VERSION}/{crd.PLURAL}?dryRun=All&fieldValidation=Strict", copy.deepcopy(body)
    )


def words(response: Answer) -> set[str]:
    """What the server complains about, without what is said twice.

    The scale subresource repeats complaints about replicas with a leading dot; a note says that rules were left
    unchecked; and what is no quantity is also called no integer, and fails the rules on quantities.
    """
    if found := _STRICT.fullmatch(response.body["message"]):
        return set(found["fields"].split(", "))
    reported = response.messages
    return {line for line in reported if not line.startswith((".spec", "<nil>")) and not _TWICE.search(line)}


@pytest.mark.parametrize("name", BAD)
def test_refusals_are_worded_as_by_the_cluster(cluster: KubeApi, name: str) -> None:
    """A manifest that breaks a rule gets the messages that the real API server gives."""
    response = create(cluster, BAD[name])
    assert response.status >= 400
    assert set(admission.check(BAD[name])) == words(response)


@pytest.mark.parametrize("name", GOOD)
def test_defaults_are_those_of_the_cluster(cluster: KubeApi, name: str) -> None:
    """A manifest that is fine here is fine there, and both write out the same defaults."""
    assert admission.check(GOOD[name]) == []
    response = create(cluster, GOOD[name])
    assert response.status == 201, response.body
    assert admission.with_defaults(GOOD[name])["spec"] == response.body["spec"]


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("spec.storage.backendRef", {"storage": {"backendRef": "elsewhere"}}),
        ("spec.database.instanceRef", {"database": {"instanceRef": "elsewhere"}}),
    ],
)
def test_what_cannot_move_is_immutable(cluster: KubeApi, field: str, spec: dict[str, Any]) -> None:
    """Store and database are chosen once: both validators refuse a change with the same words."""
    name = f"fixed-{field.split('.')[1]}"
    old, new = manifest(metadata={"name": name}), manifest(metadata={"name": name}, spec=spec)
    assert cluster.create(old).status == 201
    response = cluster.apply(new, "&dryRun=All")
    assert response.status == 422
    (message,) = admission.check(new, old)
    assert {message} == words(response)
    assert message.startswith(f"{field}: ")
    assert "immutable" in message
    assert admission.check(new) == []


def test_a_change_that_moves_nothing_is_accepted() -> None:
    """With the same store and database, written out or by default, the rest of the spec may change."""
    chosen = {"storage": {"backendRef": "default"}, "database": {"instanceRef": "default"}}
    old = manifest(spec=chosen)
    assert admission.check(manifest(spec={"api": {"replicas": 3}}), old) == []
    assert admission.check(manifest(spec={**chosen, "paused": True}), manifest()) == []


async def test_a_variable_that_was_stored_before_it_was_reserved_stops_no_change(cluster: KubeApi) -> None:
    """A tenant of an older CRD stays changeable, here as there; the variable itself can only be removed."""
    where = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd.PLURAL}.{crd.GROUP}"
    older, stored = copy.deepcopy(crd.manifest()), manifest(metadata={"name": "older"})
    stored["spec"] = {"worker": {"env": [{"name": "tenant", "value": "other"}]}}
    worker = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["worker"]
    del worker["properties"]["env"]["items"]["properties"]["name"]["x-kubernetes-validations"]
    rules = {"spec": older["spec"]}
    try:
        assert cluster.request("PATCH", where, rules, "application/merge-patch+json").status == 200
        await eventually(lambda: cluster.create(stored).status == 201, why="the older CRD is served")
    finally:
        current = {"spec": crd.manifest()["spec"]}
        assert cluster.request("PATCH", where, current, "application/merge-patch+json").status == 200
    new = {**stored, "metadata": {"name": "new"}}
    await eventually(lambda: create(cluster, new).status == 422, why="the current CRD is served")
    changed, other = copy.deepcopy(stored), copy.deepcopy(stored)
    changed["spec"]["paused"] = True
    other["spec"]["worker"]["env"][0]["name"] = "TENANT"
    assert cluster.apply(changed, "&dryRun=All").status == 200
    assert admission.check(changed, stored) == []
    response = cluster.apply(other, "&dryRun=All")  # adds the second variable to the first
    assert response.status == 422
    (refused,) = words(response)
    (expected,) = admission.check(other, stored)
    assert refused == expected.replace("env[0]", "env[1]")


def test_a_validation_changes_nothing() -> None:
    """Checking and defaulting leave the manifest as it was."""
    for given_manifest in [*BAD.values(), *GOOD.values()]:
        before = copy.deepcopy(given_manifest)
        admission.check(given_manifest)
        assert given_manifest == before


@pytest.mark.parametrize("nonsense", [None, [], "text", 5, {}])
def test_something_that_is_no_object_is_refused(nonsense: Any) -> None:
    """Any YAML document gets an answer, not a crash."""
    (line,) = admission.check(nonsense)
    assert line.startswith("the API version" if nonsense == {} else "the manifest must be one object with apiVersion,")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(sorted(crd.Spec.model_json_schema()["properties"])), JSON, max_size=4),
)
def test_every_answer_is_a_list_of_lines(spec: dict[str, Any]) -> None:
    """Whatever stands in the spec, it is either refused or a spec that the operator can read."""
    written = manifest(spec=spec)
    if not admission.check(written):
        crd.Spec.model_validate(admission.with_defaults(written)["spec"])


ODD = st.none() | st.booleans() | st.integers(-5, 400) | st.sampled_from([1.5, "", "x", "Retain", "5", "1Gi", "PORT"])
QUANTITIES = st.integers(-2, 5000) | st.sampled_from(["1", "500m", "1Gi", "0.5", "1.5Mi", "5e3", "1Ki"])
STRINGS = st.sampled_from(
    ["a", "ok", "https://img.example", "A", "b.c", "-x", "x" * 70, "é", "a\n", "$(x)", "http://h:1/p"]
)
KEYS = st.sampled_from(["a", "b/c", "x y", "app.kubernetes.io/x", "k8s.io/a", "imghost.dev/t", "A_b"])


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Mostly values of the right shape, good and bad; at times something else altogether."""
    fitting: st.SearchStrategy[Any]
    match schema:
        case {"x-kubernetes-int-or-string": True}:
            fitting = QUANTITIES
        case {"enum": choices}:
            fitting = st.sampled_from(choices)
        case {"type": "string"}:
            fitting = STRINGS
        case {"type": "integer"}:
            fitting = st.integers(-3, 400)
        case {"type": "boolean"}:
            fitting = st.booleans()
        case {"type": "array"}:
            fitting = st.lists(values(schema["items"]), max_size=4)
        case {"properties": members}:
            fitting = st.fixed_dictionaries({}, optional={name: values(member) for name, member in members.items()})
        case {"additionalProperties": others}:
            fitting = st.dictionaries(KEYS, values(others), max_size=3)
        case _:
            raise AssertionError(schema)
    return st.one_of(*[fitting] * 6, ODD)


def test_random_manifests_get_the_same_answer(cluster: KubeApi) -> None:
    """Whatever is tried, the cluster and we agree: refused in the same words, or stored with the same defaults."""
    verdicts = set()

    @settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(values(crd.root()["properties"]["spec"]))
    def compare(spec: Any) -> None:
        written = manifest(spec=spec)
        response = create(cluster, written)
        verdicts.add(response.status)
        if response.status == 201:
            assert admission.check(written) == []
            assert admission.with_defaults(written)["spec"] == response.body["spec"]
        else:
            assert set(admission.check(written)) == words(response)

    compare()
    assert verdicts >= {201, 422}


@pytest.mark.parametrize("sample", ["demo", "production", "throwaway"])
def test_samples_are_accepted(cluster: KubeApi, pytestconfig: pytest.Config, sample: str) -> None:
    """What we ship as an example is accepted by both."""
    text = (pytestconfig.rootpath / "manifests" / "samples" / f"{sample}.yaml").read_text()
    assert admission.check(yaml.safe_load(text)) == []
    assert create(cluster, yaml.safe_load(text)).status == 201
