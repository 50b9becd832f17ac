"""Manifest in, objects out, without a cluster."""

import json

import pytest
import yaml

from imghost_operator import admission, tenant_objects
from imghost_operator.platform import ObjectRef
from imghost_operator.render import PLACEHOLDER, render
from support.manifests import manifest
from support.tenants import objects


@pytest.mark.parametrize("sample", ["demo", "production", "throwaway"])
def test_samples_render_completely(pytestconfig: pytest.Config, sample: str) -> None:
    """Every sample becomes a whole tenant that survives YAML."""
    text = (pytestconfig.rootpath / "manifests" / "samples" / f"{sample}.yaml").read_text()
    made = render(admission.with_defaults(yaml.safe_load(text)))
    assert {obj["kind"] for obj in made} >= tenant_objects.KINDS - {"PodDisruptionBudget", "HorizontalPodAutoscaler"}
    assert list(yaml.safe_load_all(yaml.safe_dump_all(made))) == made


def test_the_objects_are_those_of_a_cluster() -> None:
    """What is shown differs from what the operator applies only in values, never in which objects there are."""
    shown = render(admission.with_defaults(manifest(metadata={"name": "demo"})))
    without_job_hash = {ObjectRef.of(obj) for obj in shown if obj["kind"] != "Job"}
    assert without_job_hash == {key for key in objects() if key.kind != "Job"}


def test_secrets_are_marked_not_made_up() -> None:
    """A placeholder cannot be taken for a credential, and the address of the database says it is none."""
    shown = render(admission.with_defaults(manifest()))
    secrets = {obj["metadata"]["name"]: obj["stringData"] for obj in shown if obj["kind"] == "Secret"}
    assert secrets["internal"] == {"INTERNAL_TOKEN": PLACEHOLDER}
    assert secrets["database-api"] == {"DATABASE_URL": PLACEHOLDER}
    assert secrets["database-owner"]["API_ROLE"] == "imghost_t_api"
    assert ".invalid" in json.dumps([obj for obj in shown if obj["kind"] == "ConfigMap"])
