"""What a tenant consists of, whatever its spec says."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imghost_operator import admission, tenant_objects
from imghost_operator.build_inputs import BuildInputs
from imghost_operator.built_object import Requirement
from imghost_operator.crd import KIND, RESERVED_ENV, Spec
from imghost_operator.platform import Object, ObjectRef
from support.tenants import FILES, S3, UID, inputs, objects, only, spec_of, tenant

POD_FIELDS = {
    "automountServiceAccountToken",
    "containers",
    "enableServiceLinks",
    "initContainers",
    "restartPolicy",
    "securityContext",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "topologySpreadConstraints",
    "volumes",
}
ATTACKS = [
    "\n---\napiVersion: v1\nkind: ClusterRoleBinding\n",
    "{{ .Values }} {% raw %} ${HOME} %s `id`",
    "'\"; DROP DATABASE imghost; --",
    "- hostNetwork: true",
    "&a [*a, *a]",
    "\u2028\u202e\u0000\x1b[2J",
    "../../kube-system",
    "!!python/object/apply:os.system [id]",
]
TEXT = st.sampled_from(ATTACKS) | st.text(max_size=60).filter(lambda text: "$(" not in text)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(lambda name: name not in RESERVED_ENV)
ENV = st.lists(NAMES, unique=True, max_size=4).flatmap(
    lambda names: st.tuples(*(st.fixed_dictionaries({"name": st.just(name), "value": TEXT}) for name in names)).map(
        list
    )
)
IMAGES = st.from_regex(r"[a-z0-9][a-z0-9./:@-]{0,40}", fullmatch=True)
MEMORY = st.sampled_from(["512Mi", "1Gi", "1.5Gi", 10**9, "2G"])


AUTOSCALING = st.fixed_dictionaries(
    {"minReplicas": st.integers(1, 5), "maxReplicas": st.integers(5, 200)}, optional={"enabled": st.booleans()}
)


def workload(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    limits = st.fixed_dictionaries({}, optional={"memory": MEMORY, "cpu": st.sampled_from([1, "1500m", "2"])})
    return st.fixed_dictionaries(
        {},
        optional={
            "replicas": st.integers(0, 200),
            "env": ENV,
            "autoscaling": AUTOSCALING,
            "image": IMAGES,
            "resources": st.fixed_dictionaries({}, optional={"limits": limits}),
            **more,
        },
    )


LABELS = st.dictionaries(st.from_regex(r"[a-z]{1,9}(\.io/[a-z]{1,9})?", fullmatch=True), st.just("x"), max_size=3)
URL = st.sampled_from(["https://a.example", "http://localhost:8000", "https://b.example/x/y"])
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "displayName": TEXT.map(lambda text: text[:63]),
        "deletionPolicy": st.sampled_from(["Retain", "Delete"]),
        "api": workload(),
        "worker": workload(),
        "imaging": workload(
            limits=st.fixed_dictionaries(
                {},
                optional={
                    "formats": st.lists(st.sampled_from(["jpeg", "png", "avif"]), min_size=1, unique=True),
                    "maxInputBytes": st.sampled_from(["1", 5, "50Mi", "1.5Gi"]),
                    "maxPixels": st.integers(1, 10**9),
                },
            )
        ),
        "storage": st.fixed_dictionaries({"backendRef": st.from_regex(r"[a-z]{1,9}", fullmatch=True)}),
        "network": st.fixed_dictionaries(
            {
                "ingressFrom": st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), unique=True, max_size=3),
                "egressTo": st.lists(
                    st.fixed_dictionaries(
                        {"cidr": st.sampled_from(["10.0.0.7/8", "::/0"]), "port": st.integers(1, 65535)}
                    ),
                    unique_by=repr,
                    max_size=3,
                ),
            }
        ),
        "urls": st.fixed_dictionaries({}, optional={"view": URL, "cdn": URL, "frontend": URL}),
        "podMetadata": st.fixed_dictionaries(
            {}, optional={"labels": LABELS, "annotations": st.dictionaries(st.just("example.com/x"), TEXT, max_size=1)}
        ),
    },
)
GIVEN = st.sampled_from([inputs(), inputs(store=FILES), inputs(database_host="10.0.0.7:5432")])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(SPECS, GIVEN)
def test_no_spec_reaches_beyond_its_tenant(spec: dict[str, Any], given_inputs: BuildInputs) -> None:
    """Whatever strings a spec holds: expected kinds, own namespace, expected images and accounts, valid YAML."""
    manifest = tenant(**spec)
    assert admission.check(manifest) == []
    parsed = Spec.model_validate(manifest["spec"])
    built = tenant_objects.build("demo", UID, parsed, given_inputs)
    made = [item.manifest for item in built]

    assert built == tenant_objects.build("demo", UID, parsed, given_inputs), (
        "the same arguments must make the same objects"
    )
    assert json.loads(json.dumps(made)) == made
    text = yaml.dump_all(made, Dumper=yaml.CSafeDumper, allow_unicode=True)
    assert list(yaml.load_all(text, yaml.CSafeLoader)) == made
    assert [tenant_objects.wave_of(obj) for obj in made] == sorted(tenant_objects.wave_of(obj) for obj in made)
    images = {
        *(workload.image or "imghost-api:1" for workload in (parsed.api, parsed.worker)),
        parsed.imaging.image or "imghost-imaging:1",
    }
    for obj in made:
        check_belongs(obj)
    for obj in pods(made):
        check_pod(obj, images)


def check_belongs(obj: Object) -> None:
    metadata = obj["metadata"]
    assert obj["kind"] in tenant_objects.KINDS
    if obj["kind"] == "Namespace":
        assert (metadata["name"], metadata.get("namespace")) == ("imghost-demo", None)
    else:
        assert metadata["namespace"] == "imghost-demo"
    assert {**tenant_objects.MANAGED, tenant_objects.TENANT_LABEL: "demo"}.items() <= metadata["labels"].items()
    assert [(owner["kind"], owner["uid"], owner["controller"]) for owner in metadata["ownerReferences"]] == [
        (KIND, UID, True)
    ]


def pods(made: list[Object]) -> Iterator[Object]:
    return (obj["spec"]["template"] for obj in made if obj["kind"] in {"Deployment", "Job"})


def check_pod(template: Object, images: set[str]) -> None:
    spec = template["spec"]
    (container,) = spec["containers"]
    assert spec.keys() <= POD_FIELDS
    assert spec["serviceAccountName"] in {"api", "imaging", "migrate", "worker"}
    assert container["image"] in images
    assert container["command"][:2] == ["python", "-m"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert [list(volume) for volume in spec["volumes"]] == [["name", "emptyDir"]]
    assert template["metadata"]["labels"]["imghost.dev/tenant"] == "demo"


def test_secrets_are_in_secrets_only() -> None:
    """No password, key or token is in any object but a Secret, nor in the representation of the facts."""
    given_inputs = inputs()
    rest = [obj for key, obj in objects(given=given_inputs).items() if key.kind != "Secret"]
    assert "canary" not in json.dumps(rest)
    assert "canary" not in repr(given_inputs)


def test_each_process_gets_only_its_own_secrets() -> None:
    """Imaging, which decodes strangers' bytes, has no signing key and no database password but its own."""
    made = objects()
    refs = {
        name: {ref["secretRef"]["name"] for ref in container(made, kind, name)["envFrom"] if "secretRef" in ref}
        for kind, name in (("Deployment", "api"), ("Deployment", "imaging"), ("Deployment", "worker"))
    }
    assert refs == {
        "api": {"database-api", "storage", "api-signing", "internal"},
        "imaging": {"database-imaging", "storage", "internal"},
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
    """Credentials wait for their backend, the pre migration for the database, Deployments for the schema, and the post
    migration for every Deployment; nothing that only closes or describes the namespace waits.
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


def test_variables_of_the_tenant_come_after_ours() -> None:
    """The tenant's own variables are added as written; what is empty is left out, as the server would."""
    made = objects(api={"env": [{"name": "B", "value": ATTACKS[0]}, {"name": "A"}]})
    assert [(variable["name"], variable.get("value")) for variable in container(made, "Deployment", "api")["env"]] == [
        ("HOST", None),
        ("B", ATTACKS[0]),
        ("A", None),
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


def test_store_secret_is_there_even_when_empty() -> None:
    """The filesystem store has no secret; pods still find the Secret they name."""
    assert only(objects(given=inputs(store=FILES)), "Secret", "storage")["data"] == {}
    assert set(only(objects(given=inputs(store=S3)), "Secret", "storage")["data"]) == set(S3.secret)
