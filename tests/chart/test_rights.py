"""What the operator may do, and that it needs all of it: proved by the operator itself, with the chart's own rights."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from imghost_dev.chart import CHART, NAMESPACE, ROOT, Helm, Object, one, parse
from imghost_operator import tenant_objects
from imghost_operator.api_resources import RESOURCES
from imghost_operator.tenant_objects.meta import tenant_of
from support.audit_log import OPERATOR, AuditedKube, Credentials, Request, Right
from support.eventually import eventually
from support.minio import Minio
from support.operators import condition
from support.postgres import Postgres
from support.processes import HOST, Process, free_port
from support.workloads import Workloads

VALUES = Path(__file__).parent / "values"
LISTED = ("imghost-news", "imghost-sport")
EVERYWHERE = "*"
SHOWN = [f"--show-only=templates/{name}.yaml" for name in ("rbac", "serviceaccount")]
TENANT = "photos"  # of the sample production.yaml, which has an object of every kind

ADMISSION_ASKS = Right(EVERYWHERE, "imghost.dev", "imagehosttenants/finalizers", "update")
"""Not a request of the operator's, so not in the audit log: see test_owner_references_need_the_finalizers_right."""


def granted(objects: Iterable[Object], account: str = "imghost-operator") -> set[Right]:
    """Every single right that the roles whose names begin so give."""
    return {
        Right(role["metadata"].get("namespace", EVERYWHERE), group, resource, verb)
        for role in objects
        if role["kind"] in {"Role", "ClusterRole"} and role["metadata"]["name"].startswith(account)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def needed(requests: Counter[Request], rights: set[Right]) -> set[Right]:
    """The rights that requests made use of: those of a Role for its namespace, else those of the ClusterRole."""
    asked = {request.right for request in requests}
    return {right if right in rights else right._replace(namespace=EVERYWHERE) for right in asked}


@pytest.mark.parametrize("values", ["cluster-wide", "everything", "namespaces"])
def test_the_operators_rights_cannot_be_escalated(helm: Helm, values: str) -> None:
    """No wildcard, nothing about roles, tokens, pods or nodes, no verb that gives rights to oneself or to others."""
    objects = helm.objects(f"--values={VALUES / values}.yaml")
    name = "images" if values == "everything" else "imghost"
    operator, hook = granted(objects, f"{name}-operator"), granted(objects, f"{name}-uninstall")
    verbs = {"get", "list", "watch", "create", "update", "patch", "delete"}
    assert {right.verb for right in operator} == verbs
    assert {right.resource.split("/")[0] for right in operator} <= {kind.plural for kind in RESOURCES.values()}
    assert {(right.resource, right.verb) for right in hook} == {
        ("imagehosttenants", "list"),
        ("imagehosttenants", "patch"),
        ("deployments/scale", "patch"),
        ("pods", "list"),
    }
    assert granted(objects, "") == operator | hook


def test_listed_namespaces_are_all_the_operator_gets(cluster: AuditedKube, helm: Helm) -> None:
    """In the profile of listed namespaces the API refuses Secrets elsewhere, and namespaces anywhere."""
    text = helm.template(f"--values={VALUES / 'namespaces.yaml'}", "--show-only=templates/rbac.yaml", release="listed")
    for name in LISTED:
        make_namespace(cluster, name)
    cluster.kubectl("apply", "-f", "-", input=text)
    user = f"system:serviceaccount:{NAMESPACE}:listed-imghost-operator"
    verbs = ("get", "list", "watch", "create", "patch", "delete")
    try:
        for kind in sorted(tenant_objects.KINDS - {"Namespace"}):
            for verb in verbs:
                assert all(can(cluster, user, verb, kind, namespace) for namespace in LISTED), (verb, kind)
                assert not can(cluster, user, verb, kind, "default"), (verb, kind)
                assert not can(cluster, user, verb, kind, ""), (verb, kind)
        assert not any(
            can(cluster, user, verb, "Namespace", namespace) for verb in verbs for namespace in ("", *LISTED)
        )
        assert can(cluster, user, "watch", "ImageHostTenant", "")
    finally:
        cluster.kubectl("delete", "-f", "-", input=text)


@pytest.fixture(scope="module")
def release(install: Callable[..., None], minio: Minio) -> None:
    """The chart, installed once for all that follows, with the MinIO of the tests as its store."""
    install(f"--set-json=stores={stores_at(minio)}")


def stores_at(minio: Minio) -> str:
    """The chart's stores, with the MinIO of the tests as their server."""
    (store,) = yaml.safe_load((CHART / "values.yaml").read_text())["stores"]
    return json.dumps([{**store, "endpoint": minio.endpoint}])


def can(cluster: AuditedKube, user: str, verb: str, kind: str, namespace: str) -> bool:
    """Kubernetes' own answer; an empty namespace stands for all of them."""
    version, plural, _ = RESOURCES[kind]
    group = version.rpartition("/")[0]
    asked = {"verb": verb, "group": group, "resource": plural, "namespace": namespace}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": asked},
    }
    response = cluster.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(response.body["status"]["allowed"])


def make_namespace(cluster: AuditedKube, name: str) -> None:
    """A namespace, unless another test has made it."""
    response = cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert response.status in {201, 409}


async def assert_refused(cluster: AuditedKube, *command: str, saying: str) -> None:
    """Wait until kubectl, as the operator, is refused; the API server takes a moment to learn of a new policy."""

    def why() -> str:
        try:
            cluster.kubectl(*command, "--dry-run=server", f"--as={OPERATOR}")
        except AssertionError as error:
            return str(error)
        return ""

    await eventually(lambda: saying in why(), within=20, why=f"{' '.join(command)} is not refused")


@pytest.mark.parametrize("namespace", ["kube-system", "default", NAMESPACE])
async def test_operator_cannot_write_into_other_namespaces(cluster: AuditedKube, release: None, namespace: str) -> None:
    """What RBAC must allow everywhere, since tenants' namespaces come later, the admission policy confines to them."""
    make_namespace(cluster, LISTED[0])
    secret = ("create", "secret", "generic", "planted")
    rule = f"only in namespaces imghost-<tenant>, not in {namespace}"
    await assert_refused(cluster, *secret, f"--namespace={namespace}", saying=rule)
    cluster.kubectl(*secret, f"--namespace={LISTED[0]}", "--dry-run=server", f"--as={OPERATOR}")


async def test_operator_cannot_take_other_namespaces(cluster: AuditedKube, release: None) -> None:
    """Nor can it make, change or delete a namespace that is no tenant's."""
    make_namespace(cluster, "payroll")
    rule = "only in namespaces imghost-<tenant>"
    await assert_refused(cluster, "create", "namespace", "hr", saying=rule)
    await assert_refused(cluster, "label", "namespace", "payroll", "a=b", saying=rule)
    await assert_refused(cluster, "delete", "namespace", "payroll", saying=rule)
    cluster.kubectl("create", "namespace", "imghost-new", "--dry-run=server", f"--as={OPERATOR}")


def test_owner_references_need_the_finalizers_right(cluster: AuditedKube, release: None) -> None:
    """Where OwnerReferencesPermissionEnforcement is on, a child of a tenant cannot be made without this right."""
    role = json.loads(cluster.kubectl("get", "clusterrole", "imghost-operator", "--output=json"))
    rules = [rule for rule in role["rules"] if rule["resources"] != ["imagehosttenants/finalizers"]]
    assert len(rules) == len(role["rules"]) - 1
    lesser = {**role, "metadata": {"name": "lesser"}, "rules": rules}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "lesser"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "lesser"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "lesser"}],
    }
    for obj in (lesser, binding):
        cluster.kubectl("apply", "-f", "-", input=json.dumps(obj))
    owner = {"apiVersion": "imghost.dev/v1", "kind": "ImageHostTenant", "name": "demo", "uid": "1"}
    metadata = {"name": "imghost-child", "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}]}
    child = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    with pytest.raises(AssertionError, match="cannot set blockOwnerDeletion"):
        cluster.kubectl("create", "--dry-run=server", "--as=lesser", "-f", "-", input=child)
    cluster.kubectl("create", "--dry-run=server", f"--as={OPERATOR}", "-f", "-", input=child)


class Life:
    """The life of one tenant under an operator that has the chart's environment, rights and nothing else."""

    def __init__(self, cluster: AuditedKube, folder: Path, deployment: Object, tenant: str) -> None:
        self._cluster, self._folder, self._name = cluster, folder, tenant
        self._namespace = tenant_objects.namespace_of(tenant)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        given = {
            variable["name"]: variable["value"].replace("/etc/imghost", str(folder))
            for variable in container["env"]
            if "value" in variable
        }
        in_a_pod = {"IMGHOST_HOST": HOST, "IMGHOST_OPS_PORT": str(free_port()), "IMGHOST_IDENTITY": "played"}
        self._command = [Path(sys.executable).with_name(container["command"][0]), *container["command"][1:]]
        account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
        kubeconfig = Credentials(cluster, folder).kubeconfig(account)
        self._env = {**given, **in_a_pod, "KUBECONFIG": str(kubeconfig)}

    async def run(self) -> None:
        """From the sample to its deletion, drift in every kind on the way."""
        operator = Process(self._command, self._folder / "operator.log", env=self._env)
        workloads = Workloads(self._cluster, self._namespace)
        try:
            manifest = yaml.safe_load((ROOT / "manifests" / "samples" / "production.yaml").read_text())
            manifest["metadata"]["name"] = self._name
            self._cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
            await eventually(partial(self._check_ready, workloads), within=60, why="the tenant is not ready")
            strays = self._plant_strays()
            await eventually(lambda: not self._present(strays), within=30, why="what is not used stays")
            self._cluster.kubectl("delete", "iht", self._name, "--wait=false")
            await eventually(lambda: self._tenant() is None, within=60, why="the tenant is not deleted")
        finally:
            workloads.close()
            operator.stop()

    def _check_ready(self, workloads: Workloads) -> None:
        workloads.play()
        ready = condition(self._tenant() or {}, "Ready")
        assert ready.get("status") == "True", ready

    def _tenant(self) -> Object | None:
        return self._cluster.find("imghost.dev/v1", "imagehosttenants", "", self._name)

    def _plant_strays(self) -> list[Object]:
        """An object of each kind that says it is the tenant's, and that the tenant has no use for."""
        strays = []
        for kind in sorted(tenant_objects.KINDS - {"Namespace"}):
            version, plural, _ = RESOURCES[kind]
            original = self._cluster.items(version, plural, self._namespace)[0]
            stray = {**_copy(original), "apiVersion": version, "kind": kind}
            response = self._cluster.api.create(stray)
            assert response.status == 201, response.body
            strays.append(stray)
        return strays

    def _present(self, objects: list[Object]) -> list[str]:
        found = []
        for obj in objects:
            version, plural, _ = RESOURCES[obj["kind"]]
            if self._cluster.find(version, plural, self._namespace, obj["metadata"]["name"]):
                found.append(obj["kind"])
        return found


def _copy(original: Object) -> Object:
    """The same object under another name, without what only the server writes."""
    keep = ("labels", "annotations", "namespace", "ownerReferences")
    metadata = {key: original["metadata"][key] for key in keep if key in original["metadata"]}
    copy: dict[str, Any] = json.loads(json.dumps({**original, "metadata": {**metadata, "name": "stray"}}))
    copy.pop("status", None)
    spec = copy.get("spec", {})
    for key in ("clusterIP", "clusterIPs"):
        spec.pop(key, None)
    if "backoffLimit" in spec:  # a Job's selector and the label for it
        spec.pop("selector")
        spec["template"]["metadata"].pop("labels")
        metadata["labels"] = {k: v for k, v in copy["metadata"]["labels"].items() if "controller-uid" not in k}
        copy["metadata"]["labels"] = metadata["labels"]
    return copy


@pytest.fixture
def mounted(postgres: Postgres, minio: Minio, tmp_path: Path) -> Path:
    """The folder of secrets that an operator's pod sees."""
    files = {
        "databases/default/url": postgres.admin_url,
        "stores/default/access-key": minio.access_key,
        "stores/default/secret-key": minio.secret_key,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


async def test_operator_uses_every_right_and_needs_no_other(
    cluster: AuditedKube, release: None, helm: Helm, mounted: Path
) -> None:
    """A tenant lives and dies with the chart's rights: nothing was forbidden, and granted minus used is nothing."""
    deployment = cluster.get("apps/v1", "deployments", NAMESPACE, "imghost-operator")
    await Life(cluster, mounted, deployment, TENANT).run()
    requests, rights = cluster.count_requests(), granted(helm.objects())
    assert [request for request in requests if request.status in {401, 403}] == []
    used = needed(requests, rights)
    assert rights - used == {ADMISSION_ASKS}
    assert used <= rights


async def test_operator_works_with_rights_in_listed_namespaces_only(
    cluster: AuditedKube, release: None, helm: Helm, mounted: Path, minio: Minio
) -> None:
    """The same life in a namespace that others made, which outlives it, with the rights of that profile, all used."""
    for name in LISTED:
        make_namespace(cluster, name)
    account, listed = "listed-imghost-operator", LISTED[0]
    flags = [f"--values={VALUES / 'namespaces.yaml'}", f"--set-json=stores={stores_at(minio)}"]
    text = helm.template(*flags, *SHOWN, release="listed")
    deployment = one(helm.objects(*flags, release="listed"), "Deployment", account)
    cluster.kubectl("apply", "-f", "-", input=text)
    cluster.kubectl("delete", "lease", "imghost-operator", f"--namespace={NAMESPACE}", "--ignore-not-found")
    try:
        await Life(cluster, mounted, deployment, tenant_of(listed)).run()
    finally:
        cluster.kubectl("delete", "-f", "-", input=text)
    requests, rights = cluster.count_requests(account), granted(parse(text), account)
    assert [request for request in requests if request.status in {401, 403}] == []
    used = needed(requests, rights)
    assert used <= rights
    assert {right for right in rights - used if right.namespace != LISTED[1]} == {ADMISSION_ASKS}
    assert cluster.get("v1", "namespaces", "", listed)["status"]["phase"] == "Active"
