"""The chart as text: what Helm makes of it, and what it refuses."""

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from imghost_dev.chart import (
    CHART,
    CRD,
    INSTALL,
    KUBERNETES,
    NAMESPACE,
    ROOT,
    Helm,
    HelmFailed,
    Object,
    generate,
    one,
    parse,
)
from imghost_operator.leader_election import LEASE
from imghost_operator.reconcile_context import FINALIZER
from imghost_operator.settings import OperatorSettings
from imghost_operator.tenant_objects.network import METRICS_LABEL

VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))
MONITORING = "--api-versions=monitoring.coreos.com/v1/ServiceMonitor"
MOUNT = "/etc/imghost"

each_values_file = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


def container(objects: list[Object], name: str = "imghost-operator") -> Object:
    """The operator's container."""
    (found,) = one(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def settings(objects: list[Object], folder: Path, monkeypatch: pytest.MonkeyPatch) -> OperatorSettings:
    """The operator's settings in the environment that the Deployment gives it, Secrets mounted in a folder."""
    for variable in container(objects)["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", "10.0.0.1").replace(MOUNT, str(folder)))
    return OperatorSettings()


@pytest.mark.parametrize("values", [None, *VALUES], ids=lambda path: path.stem if path else "defaults")
def test_helm_lint_is_clean(helm: Helm, values: Path | None) -> None:
    """`helm lint --strict` passes with the defaults and with every values file."""
    helm.run("lint", "--strict", CHART, *([f"--values={values}"] if values else []))


@pytest.mark.parametrize(
    ("flag", "complaint"),
    [
        ("replica=2", "replica"),
        ("images.operator.tga=1", "tga"),
        ("databases[0].password=secret", "password"),
        ("stores[0].endpoint=minio:9000", "endpoint"),
        ("stores[0].endpoint=https://id:secret@minio", "endpoint"),
        ("images.operator.digest=sha256:12", "digest"),
        ("uninstall.tenants=Delete", "tenants"),
        ("logLevel=verbose", "logLevel"),
        ("serviceAccount.create=false", "serviceAccount/name"),
        ("namespaces={Bad_Name}", "namespaces"),
        ("namespaces={news}", "namespaces"),
    ],
)
def test_a_wrong_value_is_refused(helm: Helm, flag: str, complaint: str) -> None:
    """A misspelt name, a wrong value, a password in the values: Helm refuses, naming the place."""
    default = {"databases": [{"name": "a", "secretName": "s", "secretKey": "k"}]}
    flags = [f"--set={flag}"]
    if flag.startswith("databases"):
        flags.insert(0, f"--set-json=databases={json.dumps(default['databases'])}")
    if flag.startswith("stores"):
        flags.insert(0, f"--set-json=stores={json.dumps(values_of_the_chart()['stores'])}")
    with pytest.raises(HelmFailed, match=re.escape(complaint)):
        helm.template(*flags)


def test_two_backends_of_one_name_are_refused(helm: Helm) -> None:
    """One of the two would otherwise be lost without a word."""
    twice = values_of_the_chart()["stores"] * 2
    with pytest.raises(HelmFailed, match="the name default is there twice"):
        helm.template(f"--set-json=stores={json.dumps(twice)}")


def test_values_of_a_former_chart_are_enough(helm: Helm, tmp_path: Path) -> None:
    """`helm upgrade --reuse-values` takes the former chart's defaults, which lack what was added since."""
    chart = shutil.copytree(CHART, tmp_path / "imghost")
    shutil.copy(ROOT / "tests" / "data" / "chart" / "former-values.yaml", chart / "values.yaml")
    flags = (f"--kube-version={KUBERNETES}", f"--values={VALUES[0]}")
    objects = parse(helm.run("template", "imghost", chart, f"--namespace={NAMESPACE}", *flags))
    assert {obj["kind"] for obj in objects} >= {"Deployment", "ValidatingAdmissionPolicy"}
    assert "in null" not in json.dumps(objects)


def test_every_value_is_described_and_checked() -> None:
    """The schema knows exactly the values that values.yaml shows, and everything.yaml tries every one."""
    schema = set(json.loads((CHART / "values.schema.json").read_text())["properties"]) - {"global"}
    assert set(values_of_the_chart()) == schema
    switches = {"admissionPolicy", "crds", "namespaces", "podDisruptionBudget", "rbac"}  # off in minimal.yaml
    everything = next(path for path in VALUES if path.stem == "everything")
    assert schema - set(yaml.safe_load(everything.read_text())) == switches


def values_of_the_chart() -> dict[str, Any]:
    """The chart's defaults."""
    return dict(yaml.safe_load((CHART / "values.yaml").read_text()))


def test_generated_files_are_current(helm: Helm) -> None:
    """The chart's copy of the CRD is that of crds/, install.yaml what the chart renders."""
    for path, text in generate(helm).items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)} is not current; run `make manifests`"


def test_chart_has_the_version_of_the_project() -> None:
    """One version for chart, images and code."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (project, project)


def test_crd_is_the_generated_one_and_stays(helm: Helm) -> None:
    """The chart's CRD differs from crds/ only by the annotation that keeps it, and with it every tenant."""
    crd = one(helm.objects(), "CustomResourceDefinition", "imagehosttenants.imghost.dev")
    assert crd["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert crd == yaml.safe_load(CRD.read_text())


def test_crd_can_be_left_out(helm: Helm) -> None:
    """Who applies the CRD with other rights than the operator's chart can switch it off."""
    assert "CustomResourceDefinition" not in {obj["kind"] for obj in helm.objects("--set=crds.install=false")}


def test_install_yaml_has_no_hooks() -> None:
    """Applied by kubectl, a hook would simply run: the one that ends the operator too."""
    objects = parse(INSTALL.read_text())
    assert not [obj for obj in objects if "helm.sh/hook" in obj["metadata"].get("annotations", {})]
    assert objects[0]["kind"] == "Namespace"


def test_images_go_by_digest_or_tag(helm: Helm) -> None:
    """A digest wins, a tag comes next, the chart's version last; the registry is put before each."""
    everything = next(path for path in VALUES if path.stem == "everything")
    given = container(helm.objects(f"--values={everything}"), "images-operator")
    env = {variable["name"]: variable.get("value") for variable in given["env"]}
    assert given["image"] == f"registry.example.com:5000/team/imghost-operator@sha256:{1:064}"
    assert env["IMGHOST_API_IMAGE"] == "registry.example.com:5000/team/imghost-api:1.2.3"
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert container(helm.objects())["image"] == f"imghost-operator:{version}"


def test_operator_understands_its_environment(helm: Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the Deployment sets is what the operator's settings read: backends, images, address, log level."""
    values = next(path for path in VALUES if path.stem == "cluster-wide")
    (tmp_path / "registries").mkdir()
    (tmp_path / "registries" / "registry.json").write_text('{"auths": {"registry.example.com": {}}}')
    read = settings(helm.objects(f"--values={values}"), tmp_path, monkeypatch)
    assert read.databases["default"].admin_url_file == tmp_path / "databases/default/url"
    assert read.databases["default"].public_host == "pg.example.com:6432"
    assert [str(network) for network in read.databases["default"].networks] == ["10.20.0.0/16"]
    store = read.stores["default"]
    assert store.kind == "s3"
    assert (store.endpoint, store.bucket, store.region) == ("https://s3.example.com", "images", "us-east-1")
    assert store.secret_key_file == tmp_path / "stores/default/secret-key"
    assert json.loads(read.release().registries) == {"auths": {"registry.example.com": {}}}
    assert read.api_image.startswith("registry.example.com/imghost/imghost-api:")
    assert (read.host, read.namespace, read.ops_port, read.workers) == ("10.0.0.1", "imghost-system", 9090, 20)


def test_every_variable_is_a_setting(helm: Helm) -> None:
    """The operator ignores variables it does not know, so none may be misspelt here."""
    known = {f"IMGHOST_{name.upper()}" for name in OperatorSettings.model_fields}
    assert {variable["name"] for variable in container(helm.objects())["env"]} <= known


def test_secrets_are_mounted_where_the_operator_reads_them(helm: Helm) -> None:
    """Each file that the settings name is projected from the Secret that the values name."""
    everything = next(path for path in VALUES if path.stem == "everything")
    objects = helm.objects(f"--values={everything}")
    operator = container(objects, "images-operator")
    env = {variable["name"]: variable.get("value", "") for variable in operator["env"]}
    named = {
        value.removeprefix(f"{MOUNT}/")
        for variable in ("IMGHOST_DATABASES", "IMGHOST_STORES")
        for backend in json.loads(env[variable]).values()
        for key, value in backend.items()
        if key.endswith("_file")
    }
    named |= {path.removeprefix(f"{MOUNT}/") for path in json.loads(env["IMGHOST_PULL_SECRET_FILES"])}
    pod = one(objects, "Deployment", "images-operator")["spec"]["template"]["spec"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "backends"]
    mounted = {
        item["path"]: (source["secret"]["name"], item["key"])
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }
    assert set(mounted) == named
    assert mounted["databases/large/url"] == ("pg-two", "url")
    assert mounted["registries/second.json"] == ("second", ".dockerconfigjson")
    assert mounted["stores/default/secret-key"] == ("minio-admin", "password")
    assert {"name": "backends", "mountPath": MOUNT, "readOnly": True} in operator["volumeMounts"]


def test_names_shared_with_the_operator_are_the_same() -> None:
    """The hook's finalizer, the Lease that RBAC names and the label of scrapers are the operator's own."""
    assert f'FINALIZER = "{FINALIZER}"' in (CHART / "files" / "uninstall.py").read_text()
    assert f"\n{LEASE}{{{{ if ne .Values.operatorClass" in (CHART / "templates" / "_helpers.tpl").read_text()
    peers = values_of_the_chart()["networkPolicy"]["metricsFrom"]
    assert peers == [{"namespaceSelector": {"matchLabels": {METRICS_LABEL: "true"}}}]


def test_service_monitor_needs_its_kind(helm: Helm) -> None:
    """Without the Prometheus Operator there is no monitor, and the chart installs all the same."""
    assert "ServiceMonitor" not in {obj["kind"] for obj in helm.objects()}
    monitor = one(helm.objects(MONITORING), "ServiceMonitor", "imghost-operator")
    service = one(helm.objects(), "Service", "imghost-operator")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}
    off = helm.objects(MONITORING, "--set=serviceMonitor.enabled=false")
    assert "ServiceMonitor" not in {obj["kind"] for obj in off}


def test_network_policy_leaves_only_the_ways_that_are_needed(helm: Helm) -> None:
    """In: metrics only. Out: DNS, the Kubernetes API and the backends, on their ports, never the metadata service."""
    policy = one(helm.objects(), "NetworkPolicy", "imghost-operator")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["ports"] for rule in policy["ingress"]] == [[{"port": "metrics", "protocol": "TCP"}]]
    assert sorted({port["port"] for rule in policy["egress"] for port in rule["ports"]}) == [53, 443, 5432, 6443, 9000]
    for rule in policy["egress"]:
        assert rule["to"], "an empty list of peers would mean everywhere"
        for block in [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]:
            assert block["cidr"] != "0.0.0.0/0" or "169.254.0.0/16" in block["except"]


def test_pods_of_one_kind_are_found_by_one_selector(helm: Helm) -> None:
    """Service, budget and network policy select the operator's pods, not those of the hooks."""
    objects = helm.objects()
    operator = one(objects, "Deployment", "imghost-operator")["spec"]
    labels = operator["template"]["metadata"]["labels"]
    hook = one(objects, "Job", "imghost-uninstall")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        operator["selector"]["matchLabels"],
        one(objects, "Service", "imghost-operator")["spec"]["selector"],
        one(objects, "PodDisruptionBudget", "imghost-operator")["spec"]["selector"]["matchLabels"],
        one(objects, "NetworkPolicy", "imghost-operator")["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= hook.items()


def test_package_is_the_same_chart(helm: Helm, tmp_path: Path) -> None:
    """What `helm package` makes has everything that the folder has: a linked file, for one, would be missing."""
    helm.run("package", CHART, f"--destination={tmp_path}")
    (package,) = tmp_path.iterdir()
    flags = (f"--namespace={NAMESPACE}", f"--kube-version={KUBERNETES}")
    assert parse(helm.run("template", "imghost", package, *flags)) == helm.objects()


def test_long_release_names_fit(helm: Helm) -> None:
    """The longest name that Helm allows makes objects that Kubernetes allows."""
    objects = helm.objects(release="r" * 53)
    assert max(len(obj["metadata"]["name"]) for obj in objects) <= 63
