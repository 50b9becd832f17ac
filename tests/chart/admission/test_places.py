"""Where a stolen token of the operator cannot write: the real API server refuses."""

import json
from copy import deepcopy

import pytest

from imghost_dev.chart import NAMESPACE, Helm
from support.audit_log import OPERATOR, AuditedKube
from support.impersonation import TENANT, Children, Impersonator, assert_denied

OWN = f"imghost-{TENANT}"
WHERE = "only in namespaces imghost-<tenant> that are its own, and its recovery Secrets"
NO_SECRET = "makes no Secret"
OWNED = f"only objects whose owner is the tenant {TENANT}"
LABELS = "namespaces of tenants have the labels of imghost-operator"


def namespace(cluster: AuditedKube, name: str) -> dict[str, object]:
    """A namespace that an administrator made."""
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert cluster.api.create(made).status in {201, 409}
    return made


@pytest.mark.parametrize("elsewhere", ["kube-system", "default", "imghost-backends", NAMESPACE])
async def test_other_namespaces_are_closed(
    cluster: AuditedKube, thief: Impersonator, mutable: Children, elsewhere: str
) -> None:
    """No kind can be made in a namespace that is no tenant's, whatever its name; neither in the operator's own."""
    namespace(cluster, elsewhere)
    for (kind, name), obj in mutable.items():
        if kind == "Namespace":
            continue
        obj["metadata"]["namespace"] = elsewhere
        await assert_denied(lambda obj=obj: thief.try_create(obj), WHERE)
        assert name


async def test_recovery_secrets_are_all_of_its_own_namespace(thief: Impersonator, mutable: Children) -> None:
    """In the operator's namespace a Secret needs the name of a copy of credentials, and elsewhere that is no excuse."""
    secret = mutable["Secret", "storage"]
    secret["metadata"] |= {"namespace": NAMESPACE, "name": "imghost-store"}
    await assert_denied(lambda: thief.try_create(secret), WHERE)
    secret["metadata"]["name"] = "imghost-recovery-demo"
    assert thief.try_create(secret).status == 201
    secret["metadata"]["namespace"] = "default"
    await assert_denied(lambda: thief.try_create(secret), WHERE, NO_SECRET)


async def test_namespaces_of_others_stay_theirs(
    cluster: AuditedKube, release: None, thief: Impersonator, children: Children
) -> None:
    """A namespace without a tenant as its owner can be neither made, taken, labelled nor deleted."""
    labelled = {"metadata": {"labels": {"a": "b"}}}
    payroll, backends = namespace(cluster, "payroll"), namespace(cluster, "imghost-backends")
    for other in (payroll, backends):
        await assert_denied(lambda other=other: thief.try_merge(other, labelled), WHERE, LABELS)
        await assert_denied(lambda other=other: thief.try_delete(other), WHERE)
    owners = children["Namespace", OWN]["metadata"]["ownerReferences"]
    taken = {"metadata": {"ownerReferences": [{**owners[0], "name": "backends"}]}}
    await assert_denied(lambda: thief.try_merge(backends, taken), WHERE, LABELS)
    for name in ("hr", "imghost-hr", NAMESPACE):
        made = deepcopy(children["Namespace", OWN])
        made["metadata"]["name"] = name
        await assert_denied(lambda made=made: thief.try_create(made), WHERE, LABELS)


async def test_objects_of_others_in_a_tenants_namespace_stay_theirs(
    cluster: AuditedKube, thief: Impersonator, mutable: Children
) -> None:
    """What the tenant does not own is not changed, deleted, or made."""
    other = mutable["Secret", "storage"]
    owners = other["metadata"].pop("ownerReferences")
    await assert_denied(lambda: thief.try_create(other), OWNED)
    other["metadata"]["name"] = "of-another-team"
    assert cluster.api.create(other).status in {201, 409}
    await assert_denied(lambda: thief.try_merge(other, {"metadata": {"ownerReferences": owners}}), OWNED, NO_SECRET)
    await assert_denied(lambda: thief.try_delete(other), OWNED)


async def test_other_kinds_are_refused_even_where_rbac_grants_them(
    cluster: AuditedKube, release: None, thief: Impersonator, children: Children
) -> None:
    """With the rights of an administrator the token still makes no pods, tokens, roles or workloads of other kinds."""
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "too-much"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [user],
    }
    cluster.kubectl("apply", "-f", "-", input=json.dumps(binding))
    try:
        await assert_denied(
            lambda: thief.try_create(binding | {"metadata": {"name": "mine"}}), "never writes clusterrolebindings"
        )
        template = children["Deployment", "api"]["spec"]["template"]
        pod_spec = template["spec"] | {"serviceAccountName": "default"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": OWN}, "spec": pod_spec}
        await assert_denied(lambda: thief.try_create(pod), "never writes pods")
        body = {"selector": children["Deployment", "api"]["spec"]["selector"], "template": template}
        for kind in ("DaemonSet", "StatefulSet", "ReplicaSet"):
            made = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x", "namespace": OWN}, "spec": body}
            await assert_denied(lambda made=made: thief.try_create(made), f"never writes {kind.lower()}s")
        job = {"spec": {"template": children["Job", "migrate-pre"]["spec"]["template"]}}
        cron = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "x", "namespace": OWN}}
        cron["spec"] = {"schedule": "* * * * *", "jobTemplate": job}
        await assert_denied(lambda: thief.try_create(cron), "never writes cronjobs")
        token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = "/api/v1/namespaces/kube-system/serviceaccounts/default/token"
        await assert_denied(lambda: thief.request("POST", path, token), "never writes serviceaccounts/token")
    finally:
        cluster.kubectl("delete", "clusterrolebinding", "too-much")


async def test_listed_namespaces_have_the_same_walls(
    cluster: AuditedKube, helm: Helm, thief: Impersonator, mutable: Children
) -> None:
    """In the profile of listed namespaces the policies hold too: tenants' objects there, recovery Secrets, no more."""
    flags = ['--set-json=namespaces=["imghost-listed"]', '--set-json=crds={"install": false}', "--no-hooks"]
    text = helm.template(*flags, release="walls")
    namespace(cluster, "imghost-listed")
    cluster.kubectl("apply", "-f", "-", input=text)
    user = f"system:serviceaccount:{NAMESPACE}:walls-imghost-operator"
    listed = Impersonator(cluster, user)
    deployment, secret = mutable["Deployment", "api"], mutable["Secret", "storage"]
    for obj in (deployment, secret):
        obj["metadata"]["namespace"] = "imghost-listed"
        obj["metadata"]["ownerReferences"][0]["name"] = "listed"
    try:
        unsafe = deepcopy(deployment)
        unsafe["spec"]["template"]["spec"]["hostPID"] = True
        await assert_denied(lambda: listed.try_create(unsafe), "no hostNetwork, hostPID")
        await assert_denied(lambda: listed.try_create({**secret, "type": "example.com/any"}), "have the type Opaque")
        own = {**secret, "metadata": {"name": "imghost-store", "namespace": NAMESPACE}}
        await assert_denied(lambda: listed.try_create(own), WHERE)
        stray = {**secret, "metadata": {"name": "storage", "namespace": "imghost-listed"}}
        await assert_denied(lambda: listed.try_create(stray), "only objects whose owner is the tenant listed")
        for obj in (deployment, secret):
            answer = listed.try_create(obj)
            assert answer.status == 201, answer.body
    finally:
        listed.close()
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", input=text)
