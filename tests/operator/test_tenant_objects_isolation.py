"""No spec makes an object outside its tenant: generated specs with hostile strings."""

import json
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imghost_operator import admission, tenant_objects
from imghost_operator.build_inputs import BuildInputs
from imghost_operator.crd import KIND, Spec, is_reserved
from imghost_operator.platform import Object
from support.tenants import FILES, UID, inputs, tenant

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


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(lambda name: not is_reserved(name))


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
                    unique_by=lambda peer: (peer["cidr"], peer["port"]),
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
