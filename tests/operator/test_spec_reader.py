"""Specs that were stored under another version of the CRD."""

import pytest
from pydantic import ValidationError

from imghost_operator.spec_reader import first_error, read_spec
from support.tenants import spec_of


def test_fields_of_another_version_are_ignored_and_named() -> None:
    """At any depth, also in items of lists; the stored spec itself is not changed."""
    stored = {"api": {"replicas": 3, "graceSeconds": 30, "env": [{"name": "A", "secret": True}]}, "region": {"a": 1}}
    spec, unknown = read_spec(stored)
    assert unknown == ("spec.api.env.0.secret", "spec.api.graceSeconds", "spec.region")
    assert spec == spec_of(api={"replicas": 3, "env": [{"name": "A"}]})
    assert stored["region"] == {"a": 1}


def test_a_known_field_that_does_not_fit_is_an_error_without_its_value() -> None:
    """Also next to an unknown one; the message names the field."""
    with pytest.raises(ValidationError) as refused:
        read_spec({"api": {"replicas": "canary"}, "region": 1})
    message = first_error(refused.value)
    assert "canary" not in message
    with pytest.raises(ValidationError) as refused:
        read_spec({"api": {"replicas": "canary"}})
    assert first_error(refused.value).startswith("spec.api.replicas: ")


def test_reserved_variables_that_are_stored_are_ignored_and_named() -> None:
    """Stored before they were reserved, they override nothing: in any case of letters, and none of a library's."""
    names = ["database_url", "LOG_LEVEL", "Pghostaddr", "LD_PRELOAD"]
    stored = {"api": {"env": [{"name": name, "value": "x"} for name in names]}, "region": 1}
    spec, ignored = read_spec(stored)
    assert ignored == ("spec.region", "spec.api.env.database_url", "spec.api.env.Pghostaddr", "spec.api.env.LD_PRELOAD")
    assert [variable.name for variable in spec.api.env] == ["LOG_LEVEL"]
    assert len(stored["api"]["env"]) == 4


def test_secrets_of_the_operator_that_are_stored_are_ignored_and_named() -> None:
    """Stored before the name was the operator's: neither a variable nor a file shows its credentials."""
    stored = {
        "api": {
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "database-owner", "key": "DATABASE_URL"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "k"}}},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "storage", "key": "k"}}},
            ],
            "volumes": [{"name": "x", "secret": {"secretName": "internal"}}, {"name": "y", "configMap": {"name": "a"}}],
        }
    }
    spec, ignored = read_spec(stored)
    assert ignored == ("spec.api.env.A", "spec.api.volumes.x")
    assert [variable.name for variable in spec.api.env] == ["B", "C"]
    assert [volume.name for volume in spec.api.volumes] == ["y"]
