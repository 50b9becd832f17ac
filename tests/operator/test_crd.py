"""The CustomResourceDefinition: made from the models, bounded, and at work in a real API server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from imghost_operator import admission, crd
from support.kube import Kube
from support.kubeapi import KubeApi

QUANTITY = "x-kubernetes-int-or-string"


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in a schema with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


PARTS = [(path, node) for part in ("spec", "status") for path, node in nodes(crd.root()["properties"][part], part)]


def test_the_file_is_current(pytestconfig: pytest.Config) -> None:
    """`crds/` is what the models make; after a change run `make crds`."""
    path = pytestconfig.rootpath / "crds" / f"{crd.PLURAL}.{crd.GROUP}.yaml"
    assert path.read_text() == crd.text()


@pytest.mark.parametrize(("path", "node"), PARTS)
def test_everything_is_described_and_bounded(path: str, node: dict[str, Any]) -> None:
    """Every field says what it is for, and nothing in it is without a limit."""
    if not path.endswith("[]"):
        assert node.get("description", "").endswith("."), "no description"
    if "enum" in node or node.get("format") == "date-time":
        return
    match node.get("type"):
        case "string":
            assert node["maxLength"] <= 4096
        case "integer":
            assert node["format"] in {"int32", "int64"}
            assert "minimum" in node
        case "array":
            assert node["maxItems"] <= 50
            assert node["x-kubernetes-list-type"] in {"map", "set", "atomic"}
        case "object":
            assert "properties" in node or node["maxProperties"] <= 20
        case "boolean":
            pass
        case _:
            assert node[QUANTITY] is True
            assert node["maxLength"] <= 32


def test_no_item_of_a_list_gets_a_default() -> None:
    """Tools that compare Git with the cluster, such as Argo CD, see a default in an item of a list as a difference."""
    assert not [path for path, node in PARTS if "[]." in path and "default" in node]


def test_the_schema_prunes_unknown_fields() -> None:
    """No part of the schema lets unknown fields through."""
    assert "preserve-unknown" not in json.dumps(crd.manifest())


def test_defaults_of_schema_and_models_agree() -> None:
    """What the cluster fills in is what the models would assume, so a stored spec means the same in both."""
    filled = admission.with_defaults({"apiVersion": crd.API_VERSION, "kind": crd.KIND, "metadata": {"name": "t"}})
    assert crd.Spec.model_validate(filled["spec"]) == crd.Spec()


def test_kubectl_shows_defaults_columns_and_scale(cluster: KubeApi, kube: Kube) -> None:
    """People see the defaults, a table with the summary, and can scale the api."""
    body = {"apiVersion": crd.API_VERSION, "kind": crd.KIND, "metadata": {"name": "columns"}}
    kube.kubectl("create", "-f", "-", input=json.dumps(body))
    status = {
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Serving",
                "message": "",
                "observedGeneration": 1,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
        "namespace": "imghost-columns",
        "url": "https://img.example.com",
        "version": "1.2.3",
        "selector": "app.kubernetes.io/component=api",
        "api": {"desired": 2, "current": 3, "ready": 1, "updated": 1},
        "imaging": {"desired": 2, "current": 2, "ready": 2, "updated": 2},
        "worker": {"desired": 1, "current": 1, "ready": 1, "updated": 1},
        "storage": {"backend": "default", "bucket": "b", "prefix": "columns/", "keyId": "k"},
    }
    kube.kubectl(
        "patch", "iht", "columns", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})
    )
    header, row = kube.kubectl("get", "iht", "columns", "-o", "wide").splitlines()
    columns = "NAME READY REASON API IMAGING WORKER STORAGE VERSION AGE URL NAMESPACE"
    assert " ".join(header.split()) == columns
    assert row.split()[:8] == ["columns", "True", "Serving", "1", "2", "1", "default", "1.2.3"]
    assert row.split()[9:] == ["https://img.example.com", "imghost-columns"]
    assert "columns" in kube.kubectl("get", "imghost")

    kube.kubectl("scale", "iht/columns", "--replicas=5")
    stored = json.loads(kube.kubectl("get", "iht", "columns", "-o", "json"))
    assert stored["spec"]["api"]["replicas"] == 5
    assert stored["spec"]["imaging"]["limits"]["formats"] == ["jpeg", "png", "gif", "webp"]
    scale = json.loads(kube.kubectl("get", "iht", "columns", "--subresource=scale", "-o", "json"))
    assert scale["status"] == {"replicas": 3, "selector": "app.kubernetes.io/component=api"}


def test_status_cannot_be_written_through_the_spec(cluster: KubeApi, kube: Kube) -> None:
    """A client that may write a tenant cannot claim that it is ready: status is a subresource of its own."""
    body = {
        "apiVersion": crd.API_VERSION,
        "kind": crd.KIND,
        "metadata": {"name": "claims"},
        "status": {"version": "9.9.9"},
    }
    kube.kubectl("create", "-f", "-", input=json.dumps(body))
    assert "status" not in json.loads(kube.kubectl("get", "iht", "claims", "-o", "json"))


def test_fields_are_explained(cluster: KubeApi, kube: Kube) -> None:
    """`kubectl explain` teaches the resource."""
    text = kube.kubectl("explain", "iht.spec.imaging.limits")
    assert "AVIF is off unless listed" in text
