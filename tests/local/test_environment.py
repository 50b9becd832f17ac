"""The environment of containers."""

import base64

import pytest

from imghost_local.environment import Lookup, MissingReference, environment
from imghost_operator.platform import Object


def lookup(**objects: Object) -> Lookup:
    return lambda kind, name: objects.get(f"{kind}_{name}")


OBJECTS = lookup(
    ConfigMap_api={"data": {"PORT": "8080", "LOG_LEVEL": "info"}},
    Secret_internal={"data": {"INTERNAL_TOKEN": base64.b64encode(b"s3cret").decode()}},
)


def test_sources_then_variables_the_later_one_wins() -> None:
    """ConfigMaps and Secrets come first, decoded; the container's own variables override them."""
    container = {
        "envFrom": [{"configMapRef": {"name": "api"}}, {"secretRef": {"name": "internal"}}],
        "env": [
            {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "LOG_LEVEL", "value": "debug"},
            {"name": "TOKEN_AGAIN", "valueFrom": {"secretKeyRef": {"name": "internal", "key": "INTERNAL_TOKEN"}}},
        ],
    }
    assert environment(container, OBJECTS, {"status.podIP": "127.80.0.1"}) == {
        "PORT": "8080",
        "LOG_LEVEL": "debug",
        "INTERNAL_TOKEN": "s3cret",
        "TOKEN_AGAIN": "s3cret",
        "HOST": "127.80.0.1",
    }


def test_references_between_variables() -> None:
    """`$(NAME)` is replaced as the kubelet does it: known names only, `$$` is a dollar."""
    variables = {"URL": "http://$(HOST):$(PORT)", "RAW": "$$(HOST)", "UNKNOWN": "$(ABSENT)"}
    container = {
        "envFrom": [{"configMapRef": {"name": "api"}}],
        "env": [
            {"name": "HOST", "value": "here"},
            *({"name": variable, "value": text} for variable, text in variables.items()),
        ],
    }
    found = environment(container, OBJECTS, {})
    assert [found[name] for name in variables] == ["http://here:8080", "$(HOST)", "$(ABSENT)"]


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"envFrom": [{"secretRef": {"name": "absent"}}]}, "Secret absent does not exist"),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "api", "key": "NO"}}}]},
            "ConfigMap api has no key NO",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}}]},
            "nothing here provides status.podIPs",
        ),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "cpu"}}}]}, "resourceFieldRef"),
    ],
)
def test_a_missing_reference_is_named(container: Object, words: str) -> None:
    """A pod whose Secret or ConfigMap is missing is not started half configured; the message says which."""
    with pytest.raises(MissingReference, match=words):
        environment(container, OBJECTS, {})


@pytest.mark.parametrize("name", ["api", "absent"])
def test_an_optional_reference_may_be_missing(name: str) -> None:
    """Without the ConfigMap, or the key in it, the variable is not set."""
    source = {"configMapKeyRef": {"name": name, "key": "NO", "optional": True}}
    found = environment({"env": [{"name": "A", "valueFrom": source}]}, OBJECTS, {})
    assert "A" not in found
