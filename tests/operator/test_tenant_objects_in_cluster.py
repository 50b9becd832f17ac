"""What is built meets a real API server: accepted, stored as sent, restricted, and repaired when edited."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from imghost_operator import admission, crd, diff, tenant_objects
from imghost_operator.crd import Spec
from imghost_operator.platform import Object, ObjectRef
from support.kubeapi import KubeApi, collection
from support.meddling import MEDDLING
from support.tenants import FILES, inputs

GOLDEN = Path(__file__).parents[1] / "data" / "operator"
FROM_GOLDEN = ("scheduling", "references")
SPECS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "busy": {
        "api": {"replicas": 9, "env": [{"name": "A", "value": "\u2028'\"{}"}, {"name": "EMPTY"}]},
        "imaging": {
            "replicas": 1,
            "image": "other:2",
            "resources": {"requests": {"cpu": "0.5", "memory": "1000Ki"}, "limits": {"cpu": 2, "memory": "1.5Gi"}},
        },
        "quota": {"compute": {"cpu": "1500m", "memory": "0.5Ti", "pods": 9}},
        "network": {
            "ingressFrom": ["a", "b"],
            "egressTo": [
                {"cidr": "10.1.2.3/8", "port": 4317},
                {"cidr": "0.0.0.0/0", "port": 443},
                {"cidr": "2001:DB8::7/32", "port": 4318},
                {"cidr": "::/0", "port": 443},
            ],
        },
        "podMetadata": {"labels": {"team": ""}, "annotations": {"example.com/x": "multi\nline"}},
    },
    **{
        case: yaml.safe_load((GOLDEN / case / "tenant.yaml").read_text())["spec"]
        for case in ("scheduling", "references")
    },
}


def made_for(cluster: KubeApi, name: str, spec: dict[str, Any], given: Any = None) -> list[Object]:
    """A tenant in the cluster, and what is built for it."""
    manifest = {"apiVersion": crd.API_VERSION, "kind": crd.KIND, "metadata": {"name": name}, "spec": spec}
    response = cluster.create(manifest)
    assert response.status == 201, response.body
    parsed = Spec.model_validate(response.body["spec"])
    assert parsed == Spec.model_validate(admission.with_defaults(manifest)["spec"])
    built = tenant_objects.build(name, response.body["metadata"]["uid"], parsed, given or inputs())
    return [item.manifest for item in built]


def apply_all(cluster: KubeApi, objects: list[Object]) -> dict[ObjectRef, Object]:
    """Every object as the server stored it."""
    stored = {}
    for obj in objects:
        response = cluster.apply(obj)
        assert response.status in {200, 201}, response.body
        assert not response.warnings, f"{ObjectRef.of(obj)}: {response.warnings}"
        stored[ObjectRef.of(obj)] = response.body
    return stored


@pytest.mark.parametrize("case", SPECS)
def test_the_server_stores_what_we_send(cluster: KubeApi, case: str) -> None:
    """All objects are accepted without a warning, compare as unchanged, and applying them again writes nothing."""
    busy = inputs(store=FILES, registries='{"auths": {}}')
    objects = made_for(cluster, f"stored-{case}", SPECS[case], busy if case == "busy" else None)
    first = apply_all(cluster, objects)
    for obj in objects:
        live = first[ObjectRef.of(obj)]
        assert not diff.changed(obj, live), json.dumps([obj, live])
        assert diff.foreign(obj, live) == []
    second = apply_all(cluster, objects)
    versions = [{key: obj["metadata"]["resourceVersion"] for key, obj in stored.items()} for stored in (first, second)]
    assert versions[0] == versions[1]


def test_pods_are_restricted(cluster: KubeApi) -> None:
    """The pods we ask for are admitted where Pod Security "restricted" is enforced; privileged ones are not."""
    objects = made_for(cluster, "restricted", {})
    apply_all(cluster, [obj for obj in objects if obj["kind"] in {"Namespace", "ServiceAccount"}])
    templates = {
        obj["metadata"]["name"]: obj["spec"]["template"] for obj in objects if "template" in obj.get("spec", {})
    }
    assert len(templates) == 5
    for name, template in templates.items():
        response = cluster.create(pod(name, template), "dryRun=All")
        assert response.status == 201, response.body
        for loosen in (escalating, as_root, with_host_path, on_host_network):
            response = cluster.create(pod(name, loosen(copy.deepcopy(template))), "dryRun=All")
            assert response.status == 403
            assert 'violates PodSecurity "restricted' in response.body["message"]
        assert cluster.create(pod(name, with_privileges(copy.deepcopy(template))), "dryRun=All").status in {403, 422}


def test_pods_pull_with_the_secret_of_their_account(cluster: KubeApi) -> None:
    """Credentials that the operator was given reach pods by their service account, as the server makes them."""
    objects = made_for(cluster, "pulling", {}, inputs(registries='{"auths": {}}'))
    apply_all(cluster, [obj for obj in objects if obj["kind"] in {"Namespace", "ServiceAccount", "Secret"}])
    template = next(obj["spec"]["template"] for obj in objects if obj["kind"] == "Job")
    asked = pod("pulling", template)
    asked["metadata"]["namespace"] = "imghost-pulling"
    response = cluster.create(asked, "dryRun=All")
    assert response.status == 201, response.body
    assert response.body["spec"]["imagePullSecrets"] == [{"name": "registries"}]


def pod(name: str, template: Object) -> Object:
    metadata = {"name": name, "namespace": "imghost-restricted"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def with_privileges(template: Object) -> Object:
    template["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    return template


def escalating(template: Object) -> Object:
    template["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    return template


def as_root(template: Object) -> Object:
    template["spec"]["securityContext"]["runAsUser"] = 0
    return template


def with_host_path(template: Object) -> Object:
    template["spec"]["volumes"].append({"name": "host", "hostPath": {"path": "/"}})
    return template


def on_host_network(template: Object) -> Object:
    template["spec"]["hostNetwork"] = True
    return template


@pytest.fixture(scope="module")
def untouched(cluster: KubeApi) -> dict[ObjectRef, tuple[Object, Object]]:
    """A tenant's objects as built and as stored."""
    objects = made_for(cluster, "meddling", SPECS["scheduling"] | {"api": SPECS["references"]["api"]})
    stored = apply_all(cluster, objects)
    return {ObjectRef.of(obj): (obj, stored[ObjectRef.of(obj)]) for obj in objects}


@pytest.mark.parametrize("what", MEDDLING)
def test_changes_by_others_are_found_and_reverted(
    cluster: KubeApi, untouched: dict[ObjectRef, tuple[Object, Object]], what: str
) -> None:
    """Whatever is changed or added shows as a difference, and applying and removing brings the object back."""
    kind, name, operations = MEDDLING[what]
    namespace = "" if kind == "Namespace" else "imghost-meddling"
    desired, before = untouched[ObjectRef(kind, namespace, name)]
    meddled = patch(cluster, desired, operations)
    assert diff.changed(desired, meddled) or diff.foreign(desired, meddled)

    repaired = cluster.apply(desired).body
    strangers = diff.foreign(desired, repaired)
    if strangers:
        repaired = patch(cluster, desired, [{"op": "remove", "path": pointer} for pointer in strangers])
    assert not diff.changed(desired, repaired)
    assert diff.foreign(desired, repaired) == []
    assert content(repaired) == content(before)


def patch(cluster: KubeApi, obj: Object, operations: list[dict[str, Any]]) -> Object:
    path = f"{collection(obj)}/{obj['metadata']['name']}?fieldManager=kubectl-edit"
    response = cluster.request("PATCH", path, operations, "application/json-patch+json")
    assert response.status == 200, response.body
    return response.body


def content(obj: Object) -> Object:
    """All of an object that people wrote."""
    metadata = {key: obj["metadata"].get(key) for key in ("labels", "annotations", "ownerReferences")}
    rest = {key: value for key, value in obj.items() if key not in {"metadata", "status"}}
    return {"metadata": metadata, **rest}


HARMLESS: dict[str, Callable[[Object], None]] = {
    "a label": lambda obj: obj["metadata"]["labels"].update({"cost-centre": "7"}),
    "an annotation": lambda obj: obj["metadata"]["annotations"].update({"kubectl.kubernetes.io/restartedAt": "x"}),
    "another owner": lambda obj: obj["metadata"]["ownerReferences"].append({"uid": "u", "name": "backup"}),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_is_not_ours_is_left_alone(untouched: dict[ObjectRef, tuple[Object, Object]], what: str) -> None:
    """Labels, annotations and owners that others add to our objects are no reason to write."""
    for desired, stored in untouched.values():
        live = copy.deepcopy(stored)
        HARMLESS[what](live)
        assert not diff.changed(desired, live)
        assert diff.foreign(desired, live) == []
