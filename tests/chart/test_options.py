"""Values that fit the chart into clusters and releases of others."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from imghost_dev.chart import CHART, KUBERNETES, NAMESPACE, Helm, HelmFailed, Object, one
from imghost_operator.settings import OperatorSettings

NUMERIC = "12345"


def pod_of(objects: list[Object], name: str = "imghost-operator") -> Object:
    return dict(one(objects, "Deployment", name)["spec"]["template"]["spec"])


def test_the_pod_gets_what_the_values_add(helm: Helm) -> None:
    """Variables, volumes, network and DNS of the cluster reach the operator's pod as they are written."""
    added: dict[str, Any] = {
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraVolumes": [{"name": "authority", "configMap": {"name": "authority"}}],
        "extraVolumeMounts": [{"name": "authority", "mountPath": "/etc/ssl/authority", "readOnly": True}],
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
    }
    flags = [f"--set-json={name}={json.dumps(value)}" for name, value in added.items()]
    flags += ["--set=hostNetwork=true", "--set=revisionHistoryLimit=7"]
    objects = helm.objects(
        *flags, "--set-string=deploymentAnnotations.reload=true", "--set-string=commonLabels.team=12"
    )
    pod = pod_of(objects)
    assert added["extraEnv"][0] in pod["containers"][0]["env"]
    assert added["extraVolumes"][0] in pod["volumes"]
    assert added["extraVolumeMounts"][0] in pod["containers"][0]["volumeMounts"]
    assert (pod["dnsConfig"], pod["dnsPolicy"], pod["hostNetwork"]) == (
        added["dnsConfig"],
        "ClusterFirstWithHostNet",
        True,
    )
    deployment = one(objects, "Deployment", "imghost-operator")
    assert deployment["metadata"]["annotations"] == {"reload": "true"}
    assert deployment["spec"]["revisionHistoryLimit"] == 7
    labelled = [obj for obj in objects if obj["kind"] != "CustomResourceDefinition"]
    assert {obj["metadata"]["labels"]["team"] for obj in labelled} == {"12"}
    assert "team" not in deployment["spec"]["selector"]["matchLabels"]


def test_user_ids_can_be_left_to_the_cluster(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Null leaves an id out of the operator's pod, and the operator leaves all ids out of its tenants' pods."""
    flags = [f"--set=podSecurityContext.{name}=null" for name in ("runAsUser", "runAsGroup", "fsGroup")]
    pod = pod_of(helm.objects(*flags))
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    for objects, expected in ((helm.objects(*flags), True), (helm.objects(), False)):
        (container,) = pod_of(objects)["containers"]
        given = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        monkeypatch.setenv("IMGHOST_ASSIGNS_USER_IDS", given["IMGHOST_ASSIGNS_USER_IDS"])
        monkeypatch.setenv("IMGHOST_DATABASES", given["IMGHOST_DATABASES"])
        monkeypatch.setenv("IMGHOST_STORES", given["IMGHOST_STORES"])
        assert OperatorSettings().cluster_facts().assigns_user_ids is expected


def test_the_name_servers_can_be_elsewhere(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values reach the operator's settings."""
    (container,) = pod_of(helm.objects("--set=dns.namespace=openshift-dns", "--set=dns.port=5353"))["containers"]
    for each in container["env"]:
        if each["name"] in {"IMGHOST_DNS", "IMGHOST_DATABASES", "IMGHOST_STORES"}:
            monkeypatch.setenv(each["name"], each["value"])
    facts = OperatorSettings().cluster_facts()
    assert (facts.dns_namespace, facts.dns_port) == ("openshift-dns", 5353)


def test_releases_of_one_name_in_two_namespaces_share_no_object(helm: Helm) -> None:
    """Names of cluster-scoped objects, and of those in the namespace of events, contain the release's namespace."""
    found = []
    for namespace in ("team-a", "team-b"):
        text = helm.run(
            "template",
            "imghost",
            CHART,
            f"--namespace={namespace}",
            f"--kube-version={KUBERNETES}",
            "--set=crds.install=false",
        )
        objects = [obj for obj in yaml.safe_load_all(text) if obj]
        found.append({(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]) for obj in objects})
    assert not found[0] & found[1]


def test_security_and_resources_can_be_left_to_the_cluster(helm: Helm) -> None:
    """Where others decide about user ids, privileges and resources, the pod says nothing of its own."""
    names = ("podSecurityContext", "securityContext", "resources")
    pod = pod_of(helm.objects(*(f"--set={name}=null" for name in names)))
    (container,) = pod["containers"]
    assert not pod["securityContext"]
    assert not container["securityContext"]
    assert "resources" not in container
    assert {"name": "IMGHOST_ASSIGNS_USER_IDS", "value": "true"} in container["env"]


@pytest.mark.parametrize("name", ["commonLabels", "podLabels"])
def test_labels_that_find_objects_cannot_be_replaced(helm: Helm, name: str) -> None:
    """Objects would no longer be found by their selectors, so the chart refuses to render."""
    with pytest.raises(HelmFailed, match=name):
        helm.objects(f"--set-string={name}.app\\.kubernetes\\.io/name=x")


def test_text_that_looks_like_a_number_stays_text(helm: Helm) -> None:
    """Names and keys that are digits only are strings in every object, as the API wants them."""
    database = [{"name": "default", "secretName": NUMERIC, "secretKey": NUMERIC}]
    flags = [
        f"--set-json=databases={json.dumps(database)}",
        f"--set-string=priorityClassName={NUMERIC}",
        f"--set-string=images.pullSecrets[0]={NUMERIC}",
        f"--set-string=podAnnotations.a={NUMERIC}",
        f"--set-string=podLabels.a={NUMERIC}",
        f"--set-string=nodeSelector.a={NUMERIC}",
        f"--set-string=images.operator.tag={NUMERIC}",
        f"--set-string=nameOverride={NUMERIC}",
        f"--set-string=serviceAccount.name={NUMERIC}",
    ]
    text = helm.run("template", NUMERIC, CHART, f"--namespace={NUMERIC}", f"--kube-version={KUBERNETES}", *flags)
    numbers: list[str] = []

    def walk(value: object, path: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{path}.{name}")
        elif isinstance(value, list):
            for inner in value:
                walk(inner, path)
        elif value == int(NUMERIC):
            numbers.append(path)

    walk([obj for obj in yaml.safe_load_all(text) if obj], "")
    assert numbers == []


@pytest.mark.parametrize("values", [{"global": {"imageRegistry": "r"}}, {"imghost": {"enabled": True}}])
def test_the_chart_can_be_a_part_of_another(helm: Helm, tmp_path: Path, values: dict[str, Any]) -> None:
    """As a dependency, with values of the whole and with a condition."""
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "imghost").symlink_to(CHART)
    dependency = {"name": "imghost", "version": "*", "condition": "imghost.enabled"}
    chart = {"apiVersion": "v2", "name": "whole", "version": "1.0.0", "dependencies": [dependency]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    text = helm.run("template", "whole", tmp_path, f"--namespace={NAMESPACE}", f"--kube-version={KUBERNETES}")
    assert "whole-imghost-operator" in text


@pytest.mark.parametrize(
    ("enabled", "known", "made"), [("auto", False, 0), ("auto", True, 1), ("true", False, 1), ("false", True, 0)]
)
def test_a_service_monitor_can_be_asked_for_where_its_kind_is_not_known(
    helm: Helm, enabled: str, known: bool, made: int
) -> None:
    """Tools that only render charts do not know the kinds of the cluster."""
    flags = ["--api-versions=monitoring.coreos.com/v1/ServiceMonitor"] if known else []
    objects = helm.objects(f"--set=serviceMonitor.enabled={enabled}", *flags)
    assert len([obj for obj in objects if obj["kind"] == "ServiceMonitor"]) == made
