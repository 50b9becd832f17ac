"""The objects of a tenant: secrets, rollouts, autoscaling, order of creation."""

import json
import re
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from imghost_operator import tenant_objects
from imghost_operator.build_inputs import BuildInputs, StoreUser
from imghost_operator.built_object import Requirement
from imghost_operator.platform import Object, ObjectRef
from support.tenants import FILES, S3, UID, inputs, objects, only, spec_of


def test_secrets_are_in_secrets_only() -> None:
    """No password, key or token is in any object but a Secret, nor in the `repr` of the inputs."""
    given_inputs = inputs()
    rest = [obj for key, obj in objects(given=given_inputs).items() if key.kind != "Secret"]
    assert "canary" not in json.dumps(rest)
    assert "canary" not in repr(given_inputs)


def test_each_process_gets_only_its_own_secrets() -> None:
    """Imaging, which decodes untrusted bytes, has no signing key, and its own database password and store key."""
    made = objects()
    refs = {
        name: {ref["secretRef"]["name"] for ref in container(made, kind, name)["envFrom"] if "secretRef" in ref}
        for kind, name in (("Deployment", "api"), ("Deployment", "imaging"), ("Deployment", "worker"))
    }
    assert refs == {
        "api": {"database-api", "storage", "api-signing", "internal"},
        "imaging": {"database-imaging", "storage-imaging", "internal"},
        "worker": {"database-api", "storage"},
    }


def container(made: dict[ObjectRef, Object], kind: str, name: str) -> dict[str, Any]:
    (found,) = only(made, kind, name)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_operator_upgrades_restart_nothing() -> None:
    """Another version of the operator with the same images makes the same Deployments and the same Job."""
    old, new = (objects(given=inputs(version=version)) for version in ("1.2.3", "1.2.4"))
    assert old == new


def test_a_new_image_is_migrated_by_a_new_job() -> None:
    """Jobs cannot be changed, so each release of the api gets its own; other changes leave it alone."""
    before = jobs(objects())
    assert jobs(objects(api={"replicas": 7}, imaging={"image": "other:2"})) == before
    assert jobs(objects(api={"image": "imghost-api:2"})) != before


def jobs(made: dict[ObjectRef, Object]) -> set[str]:
    return {key.name for key in made if key.kind == "Job"}


def test_a_changed_secret_rolls_the_pods_that_use_it() -> None:
    """A new password of the api's role restarts the api, which reads its environment once, and leaves imaging alone."""
    before, after = objects(), objects(given=inputs(api_password="canary-another"))
    assert template(before, "api") != template(after, "api")
    assert template(before, "imaging") == template(after, "imaging")


def test_a_changed_setting_rolls_the_pods_that_use_it() -> None:
    """A new limit restarts imaging."""
    before, after = objects(), objects(imaging={"limits": {"maxPixels": 1000}})
    assert template(before, "imaging") != template(after, "imaging")
    assert template(before, "api") == template(after, "api")


def template(made: dict[ObjectRef, Object], name: str) -> Object:
    return dict(only(made, "Deployment", name)["spec"]["template"])


def test_upload_room_follows_the_limit() -> None:
    """The api's /tmp holds as many uploads of the largest size as the pod takes concurrently."""
    for size, room in (("1Mi", "84Mi"), ("1Gi", "20544Mi")):
        made = objects(imaging={"limits": {"maxInputBytes": size}})
        volume = template(made, "api")["spec"]["volumes"][0]
        assert volume == {"name": "tmp", "emptyDir": {"sizeLimit": room}}


def test_budgets_only_where_a_pod_can_be_spared() -> None:
    """A budget over a single pod could only block a drain."""
    made = objects(api={"replicas": 1}, imaging={"replicas": 2})
    assert {key.name for key in made if key.kind == "PodDisruptionBudget"} == {"imaging"}


def test_an_autoscaler_says_how_many_pods_there_are() -> None:
    """With autoscaling on, the Deployment names no number, an autoscaler does, and a budget guards what it may make."""
    made = objects(api={"replicas": 0, "autoscaling": {"minReplicas": 1, "maxReplicas": 9, "targetCPUPercent": 55}})
    deployment = only(made, "Deployment", "api")
    assert "replicas" not in deployment["spec"]
    assert deployment["metadata"]["annotations"]["imghost.dev/autoscaled-from"] == "1"
    scaler = only(made, "HorizontalPodAutoscaler", "api")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 9)
    assert scaler["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 55}
    assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    assert only(made, "PodDisruptionBudget", "api")
    assert only(made, "Deployment", "imaging")["spec"]["replicas"] == 2


def test_the_worker_is_a_deployment_without_a_service() -> None:
    """The worker runs the api's image, listens for probes and metrics only, and scales like the servers."""
    made = objects(worker={"autoscaling": {"maxReplicas": 4}, "image": "imghost-api:jobs"})
    worker = container(made, "Deployment", "worker")
    assert worker["image"] == "imghost-api:jobs"
    assert [port["containerPort"] for port in worker["ports"]] == [9090]
    assert worker["readinessProbe"]["httpGet"]["port"] == "ops"
    assert "lifecycle" not in worker
    assert {key.kind for key in made if key.name == "worker"} == {
        *("ServiceAccount", "ConfigMap", "Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler"),
    }
    assert only(objects(), "Deployment", "worker")["spec"]["replicas"] == 1


def test_objects_wait_for_what_they_require() -> None:
    """Credentials and settings wait for their backend, the pre migration for the database, Deployments for the schema,
    and the post migration for every Deployment; nothing that only closes or describes the namespace waits.
    """
    built = tenant_objects.build("demo", UID, spec_of(), inputs())
    found = {(item.kind, re.sub("-[0-9a-f]{10}$", "", item.ref.name)): item.requires for item in built if item.requires}
    database, storage = Requirement.DATABASE, Requirement.STORAGE
    running = {database, storage, Requirement.EXPANDED_SCHEMA}
    assert found == {
        ("Secret", "database-owner"): {database},
        ("Secret", "database-api"): {database},
        ("Secret", "database-imaging"): {database},
        ("Secret", "storage"): {storage},
        ("Secret", "storage-imaging"): {storage},
        ("ConfigMap", "api"): {storage},
        ("ConfigMap", "imaging"): {storage},
        ("ConfigMap", "worker"): {storage},
        ("Job", "migrate-pre"): {database},
        ("Deployment", "api"): running,
        ("Deployment", "worker"): running,
        ("Deployment", "imaging"): running,
        ("Job", "migrate-post"): {database, Requirement.EXPANDED_SCHEMA, Requirement.ROLLOUT},
    }
    providers = {
        requirement: [item.ref.name for item in built if item.provides is requirement] for requirement in Requirement
    }
    assert sorted(providers[Requirement.ROLLOUT]) == ["api", "imaging", "worker"]
    assert len(providers[Requirement.EXPANDED_SCHEMA]) == len(providers[Requirement.CONTRACTED_SCHEMA]) == 1


def test_autoscaling_that_is_off_changes_nothing() -> None:
    """Numbers kept for later make no autoscaler, and the Deployment's replicas count."""
    off = objects(api={"autoscaling": {"enabled": False, "minReplicas": 3, "maxReplicas": 9}})
    assert off == objects()


def test_images_are_pulled_with_the_operators_credentials() -> None:
    """Credentials for registries come as a Secret that service accounts name; pods stay as they are."""
    config = '{"auths": {"registry.example.com": {"auth": "canary"}}}'
    without, made = objects(), objects(given=inputs(registries=config))
    secret = only(made, "Secret", "registries")
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    assert b64decode(secret["data"][".dockerconfigjson"]).decode() == config
    for name in ("api", "imaging", "migrate", "worker"):
        assert only(made, "ServiceAccount", name)["imagePullSecrets"] == [{"name": "registries"}]
        assert "imagePullSecrets" not in only(without, "ServiceAccount", name)
    changed = {key.kind for key, obj in made.items() if obj != without.get(key)}
    assert changed == {"Secret", "ServiceAccount"}
    assert "canary" not in json.dumps([obj for key, obj in made.items() if key.kind != "Secret"])
    assert "canary" not in repr(inputs(registries=config))


def with_authorities(database: str = "", store: str = "") -> BuildInputs:
    given = inputs()
    return replace(given, database=replace(given.database, ca=database), store=replace(given.store, ca=store))


def test_pods_find_the_certificates_of_the_backends_authorities() -> None:
    """Every process, migrations too, has a folder with them; other certificates roll pods, and none change nothing."""
    made = objects(given=with_authorities("one", "two"))
    assert only(made, "ConfigMap", "backend-authorities")["data"] == {"database.crt": "one", "store.crt": "two"}
    workloads = [(key.kind, key.name) for key in made if key.kind in {"Deployment", "Job"}]
    assert len(workloads) == 5
    for kind, name in workloads:
        (mount,) = [
            each for each in container(made, kind, name)["volumeMounts"] if each["mountPath"] == "/etc/imghost/ca"
        ]
        (volume,) = [
            each
            for each in only(made, kind, name)["spec"]["template"]["spec"]["volumes"]
            if each["name"] == mount["name"]
        ]
        assert volume["configMap"] == {"name": "backend-authorities"}
        assert mount["readOnly"]
    other = objects(given=with_authorities("one", "three"))
    assert all(template(made, name) != template(other, name) for name in ("api", "imaging", "worker"))
    assert jobs(made) == jobs(other)
    assert only(objects(given=with_authorities("one")), "ConfigMap", "backend-authorities")["data"] == {
        "database.crt": "one"
    }
    assert objects(given=with_authorities()) == objects()


def test_variables_of_the_tenant_come_after_ours() -> None:
    """The tenant's own variables are added as written; what is empty is left out, as the server would."""
    hostile = "\n---\napiVersion: v1\nkind: ClusterRoleBinding\n"
    made = objects(api={"env": [{"name": "B", "value": hostile}, {"name": "A"}, {"name": "C", "value": ""}]})
    assert [(variable["name"], variable.get("value")) for variable in container(made, "Deployment", "api")["env"]] == [
        ("HOST", None),
        ("B", hostile),
        ("A", None),
        ("C", None),
    ]


def test_public_urls_have_defaults() -> None:
    """Without urls in the spec images are served from where the platform serves them, with no CDN before it."""
    data = only(objects(), "ConfigMap", "api")["data"]
    assert data["VIEW_SERVER_URL"] == data["CDN_BASE_URL"] == "http://imaging.imghost-demo.svc:5003"
    assert "FRONTEND_URL" not in data
    named = only(objects(urls={"view": "https://img.example"}), "ConfigMap", "api")["data"]
    assert named["CDN_BASE_URL"] == "https://img.example"


def test_every_object_is_stamped_with_its_hash() -> None:
    """A field that is no longer sent changes the stamp."""
    with_note, without = objects(podMetadata={"annotations": {"a": "b"}}), objects()
    stamps = [
        only(made, "Deployment", "api")["metadata"]["annotations"]["imghost.dev/applied"]
        for made in (with_note, without)
    ]
    assert stamps[0] != stamps[1]


@pytest.mark.parametrize(("name", "user"), [("storage", "api"), ("storage-imaging", "imaging")])
def test_store_secret_is_there_even_when_empty(name: str, user: StoreUser) -> None:
    """The filesystem store has no keys; pods still find the Secret they name. With keys, each user has its own."""
    assert only(objects(given=inputs(store=FILES)), "Secret", name)["data"] == {}
    data = only(objects(given=inputs(store=S3)), "Secret", name)["data"]
    plain = {key: b64decode(value).decode() for key, value in data.items()}
    assert plain == {"S3_ACCESS_KEY_ID": S3.keys[user].id, "S3_SECRET_ACCESS_KEY": S3.keys[user].secret}


def test_scaling_replaces_no_pods_of_others() -> None:
    """More pods of imaging are a new setting of the api, which its pods take up when they are next replaced."""
    before, after = objects(), objects(imaging={"replicas": 5})
    configs = [only(made, "ConfigMap", "api")["data"]["UPLOAD_CONCURRENCY"] for made in (before, after)]
    assert configs[0] != configs[1]
    templates = [only(made, "Deployment", "api")["spec"]["template"] for made in (before, after)]
    assert templates[0] == templates[1]
