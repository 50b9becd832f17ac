"""What the operator may do, and that it needs all of it: proved by the operator itself, with the chart's own rights."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml

from imghost_dev.chart import CHART, NAMESPACE, Helm, Object, one, parse
from imghost_operator import tenant_objects
from imghost_operator.api_resources import RESOURCES
from imghost_operator.tenant_objects.meta import tenant_of
from support.audit_log import OPERATOR, AuditedKube, Request, Right
from support.minio import Minio
from support.postgres import Postgres
from support.tenant_lifecycle import TenantLifecycle
from support.tenants import objects, only

VALUES = Path(__file__).parent / "values"
LISTED = ("imghost-news", "imghost-sport")
EVERYWHERE = "*"
POLICIES = [f"admission/{name}" for name in ("network", "objects", "places", "pods", "tenants")]
SHOWN = [f"--show-only=templates/{name}.yaml" for name in ("rbac", "serviceaccount", *POLICIES)]
TENANT = "photos"  # of the sample production.yaml, which has an object of every kind

REFUSED = {401, 403, 422}  # without a login or a right, or by an admission policy
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


def test_owner_references_need_the_finalizers_right(cluster: AuditedKube, release: None) -> None:
    """Where OwnerReferencesPermissionEnforcement is on, a child of a tenant cannot be made without this right."""
    role = json.loads(cluster.kubectl("get", "clusterrole", f"imghost-operator-{NAMESPACE}", "--output=json"))
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
    child = json.dumps(only(objects("child"), "Namespace", "imghost-child"))
    with pytest.raises(AssertionError, match="cannot set blockOwnerDeletion"):
        cluster.kubectl("create", "--dry-run=server", "--as=lesser", "-f", "-", input=child)
    cluster.kubectl("create", "--dry-run=server", f"--as={OPERATOR}", "-f", "-", input=child)


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
    """A tenant is created, changed and deleted with the chart's rights, under its policies: no request is forbidden,
    every right is used.
    """
    deployment = cluster.get("apps/v1", "deployments", NAMESPACE, "imghost-operator")
    await TenantLifecycle(cluster, mounted, deployment, TENANT).run()
    requests, rights = cluster.count_requests(), granted(helm.objects())
    assert [request for request in requests if request.status in REFUSED] == []
    used = needed(requests, rights)
    assert rights - used == {ADMISSION_ASKS}
    assert used <= rights


async def test_operator_works_with_rights_in_listed_namespaces_only(
    cluster: AuditedKube, release: None, helm: Helm, mounted: Path, minio: Minio
) -> None:
    """The same with the rights and policies of listed namespaces, all used; the namespace, made by others, stays."""
    for name in LISTED:
        make_namespace(cluster, name)
    account, listed = "listed-imghost-operator", LISTED[0]
    flags = [f"--values={VALUES / 'namespaces.yaml'}", f"--set-json=stores={stores_at(minio)}"]
    text = helm.template(*flags, *SHOWN, release="listed")
    deployment = one(helm.objects(*flags, release="listed"), "Deployment", account)
    cluster.kubectl("apply", "-f", "-", input=text)
    cluster.kubectl("delete", "lease", "imghost-operator", f"--namespace={NAMESPACE}", "--ignore-not-found")
    try:
        await TenantLifecycle(cluster, mounted, deployment, tenant_of(listed)).run()
    finally:
        cluster.kubectl("delete", "-f", "-", input=text)
    requests, rights = cluster.count_requests(account), granted(parse(text), account)
    assert [request for request in requests if request.status in REFUSED] == []
    used = needed(requests, rights)
    assert used <= rights
    assert {right for right in rights - used if right.namespace != LISTED[1]} == {ADMISSION_ASKS}
    assert cluster.get("v1", "namespaces", "", listed)["status"]["phase"] == "Active"
