"""Objects other than pods that a stolen token of the operator cannot make or change: the real API server refuses."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from imghost_dev.chart import NAMESPACE
from imghost_operator.platform import Object
from support.audit_log import AuditedKube
from support.eventually import eventually
from support.impersonation import TENANT, Children, Impersonator, assert_denied

OWN = f"imghost-{TENANT}"
LEVEL = "pod-security.kubernetes.io"
LABELS = "have the labels of imghost-operator and Pod Security restricted"
NOT_OURS = "its own labels only"
TYPE = "the type Opaque or kubernetes.io/dockerconfigjson"
TOKEN = {
    "type": "kubernetes.io/service-account-token",
    "metadata": {"annotations": {"kubernetes.io/service-account.name": "default"}},
}
CLOUD_ROLE = {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "a"}}}
LINK_LOCAL = "do not open the link-local addresses"


def egress_to(**block: Any) -> Object:
    """A network policy's rule that opens a block of addresses."""
    return {"spec": {"egress": [{"to": [{"ipBlock": block}]}]}}


def merged(value: Any, change: Any) -> Any:
    """A merge patch as the server applies it."""
    if not isinstance(change, dict) or not isinstance(value, dict):
        return change
    made = {key: each for key, each in value.items() if change.get(key, "") is not None}
    return made | {key: merged(made.get(key), each) for key, each in change.items() if each is not None}


@pytest.mark.parametrize(
    ("kind", "name", "change", "saying"),
    [
        ("Secret", "storage", TOKEN, TYPE),
        ("Secret", "storage", {"type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}}, TYPE),
        ("Secret", "storage", {"data": {"LD_PRELOAD": "YQ=="}}, "no variable that changes which code runs"),
        ("ConfigMap", "api", {"data": {"pythonpath": "/tmp"}}, "no variable that changes which code runs"),
        ("ConfigMap", "api", {"metadata": {"name": "backend-authorities"}}, "database.crt and store.crt only"),
        ("ConfigMap", "api", {"metadata": {"name": "plugins"}}, "makes no ConfigMap plugins"),
        ("Secret", "storage", {"metadata": {"name": "plugins"}}, "makes no Secret plugins"),
        ("Secret", "storage", {"metadata": {"name": "imghost-recovery-x"}}, "makes no Secret imghost-recovery-x"),
        ("ServiceAccount", "api", {"metadata": {"name": "builder"}}, "service accounts of tenants are"),
        ("ServiceAccount", "api", {"automountServiceAccountToken": True}, "service accounts of tenants are"),
        ("ServiceAccount", "api", CLOUD_ROLE, "its own annotations only"),
        ("ServiceAccount", "api", {"imagePullSecrets": [{"name": "other"}]}, "no Secret but registries"),
        ("ServiceAccount", "api", {"secrets": [{"name": "other"}]}, "no Secret but registries"),
        ("Service", "api", {"spec": {"type": "LoadBalancer"}}, "the type ClusterIP, not LoadBalancer"),
        ("Service", "api", {"spec": {"type": "NodePort"}}, "the type ClusterIP, not NodePort"),
        ("Service", "api", {"spec": {"type": "ExternalName", "externalName": "a.example"}}, "the type ClusterIP"),
        ("Service", "api", {"spec": {"externalIPs": ["192.0.2.1"]}}, "no externalIPs"),
        ("Service", "api", {"spec": {"selector": None}}, "select pods of imghost"),
        ("NetworkPolicy", "dns", {"spec": {"egress": [{}]}}, "names its peers"),
        ("NetworkPolicy", "http", {"spec": {"ingress": [{}]}}, "names its peers"),
        ("NetworkPolicy", "dns", egress_to(cidr="169.254.169.254/32"), LINK_LOCAL),
        ("NetworkPolicy", "dns", egress_to(cidr="168.0.0.0/6"), LINK_LOCAL),
        ("NetworkPolicy", "dns", egress_to(cidr="fe80::/64"), LINK_LOCAL),
        ("NetworkPolicy", "dns", egress_to(cidr="fd00::/8"), LINK_LOCAL),
        ("NetworkPolicy", "dns", egress_to(**{"cidr": "::/0", "except": ["fe80::/10"]}), LINK_LOCAL),
        ("NetworkPolicy", "dns", egress_to(**{"cidr": "0.0.0.0/0", "except": ["169.254.0.0/17"]}), LINK_LOCAL),
    ],
)  # fmt: skip
async def test_objects_that_widen_rights_are_denied(
    thief: Impersonator, children: Children, kind: str, name: str, change: Object, saying: str
) -> None:
    """Tokens, other accounts, rights in clouds, ports on nodes and ways to cloud metadata are denied."""
    await assert_denied(lambda: thief.try_create(merged(children[kind, name], change)), saying)


@pytest.mark.parametrize(
    ("change", "saying"),
    [
        ({"labels": {f"{LEVEL}/enforce": "privileged"}}, f"{LABELS}; these are missing or differ: {LEVEL}/enforce"),
        ({"labels": {f"{LEVEL}/enforce": None}}, LABELS),
        ({"labels": {f"{LEVEL}/enforce-version": "v1.0"}}, LABELS),
        ({"labels": {f"{LEVEL}/warn": "baseline"}}, LABELS),
        ({"labels": {f"{LEVEL}/audit": "privileged"}}, LABELS),
        ({"labels": {"imghost.dev/tenant": "other"}}, LABELS),
        ({"labels": {"team": "payroll"}}, NOT_OURS),
        ({"labels": {"imghost.dev/metrics": "true"}}, NOT_OURS),
        ({"annotations": {"scheduler.alpha.kubernetes.io/node-selector": "a=b"}}, "its own annotations only"),
    ],
)
async def test_a_namespace_cannot_be_opened(
    thief: Impersonator, children: Children, change: Object, saying: str
) -> None:
    """Pod Security stays restricted, and no label lets the namespace pass for another team's, when made or changed."""
    ours = children["Namespace", OWN]
    await assert_denied(lambda: thief.try_merge(ours, {"metadata": change}), saying)
    fresh = merged(deepcopy(ours), {"metadata": {"name": "imghost-fresh", **change}})
    fresh["metadata"]["ownerReferences"] = [{**ours["metadata"]["ownerReferences"][0], "name": "fresh"}]
    if change.get("labels", {}).get("imghost.dev/tenant") is None:
        fresh["metadata"]["labels"]["imghost.dev/tenant"] = "fresh"
    await assert_denied(lambda: thief.try_create(fresh), saying)


async def test_labels_of_others_stay(cluster: AuditedKube, thief: Impersonator, children: Children) -> None:
    """What an administrator wrote on a namespace does not stop the operator; it cannot give it another value."""
    ours = deepcopy(children["Namespace", OWN])
    path = f"/api/v1/namespaces/{OWN}"
    note = {"metadata": {"labels": {"team": "a"}, "annotations": {"example.com/note": "a"}}}
    assert cluster.api.request("PATCH", path, note, "application/merge-patch+json").status == 200
    try:
        await assert_denied(lambda: thief.try_merge(ours, {"metadata": {"labels": {"team": "b"}}}), NOT_OURS)
        assert thief.try_apply(ours).status == 200
    finally:
        nothing = {"metadata": {"labels": {"team": None}, "annotations": {"example.com/note": None}}}
        cluster.api.request("PATCH", path, nothing, "application/merge-patch+json")


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"api": {"image": "imghost-api:evil"}}},
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"annotations": {"a": "b"}}},
    ],
)
async def test_what_a_tenant_asks_for_is_not_the_operators(
    cluster: AuditedKube, thief: Impersonator, children: Children, change: Object
) -> None:
    """The operator's right to patch tenants is for its finalizer: it changes neither spec nor labels."""
    tenant = {"apiVersion": "imghost.dev/v1", "kind": "ImageHostTenant", "metadata": {"name": TENANT}}
    await assert_denied(lambda: thief.try_merge(tenant, change), "changes the status and its finalizer")
    finalizers = {"metadata": {"finalizers": ["imghost.dev/external-data"]}}
    assert thief.try_merge(tenant, finalizers).status == 200
    other = {"metadata": {"finalizers": ["example.com/other"]}}
    await assert_denied(lambda: thief.try_merge(tenant, other), "no finalizer but imghost.dev/external-data")


def test_everything_that_a_tenant_has_is_allowed(thief: Impersonator, children: Children) -> None:
    """Every object as the operator builds it passes, made or applied."""
    for obj in children.values():
        answers = (
            [thief.try_apply(obj)] if obj["kind"] == "Namespace" else [thief.try_create(obj), thief.try_apply(obj)]
        )
        assert {answer.status for answer in answers} <= {200, 201}, [answer.body for answer in answers]
    copy = {"name": f"imghost-recovery-{TENANT}", "namespace": NAMESPACE}
    recovery = {"apiVersion": "v1", "kind": "Secret", "metadata": copy, "type": "Opaque"}
    assert thief.try_create(recovery).status == 201


async def test_pull_secrets_and_identities_that_the_values_list_are_allowed(
    install: Callable[..., None], thief: Impersonator, mutable: Children
) -> None:
    """Names in admissionPolicy.pullSecrets and keys in admissionPolicy.metadata pass, others do not."""
    account = mutable["ServiceAccount", "imaging"]
    account["imagePullSecrets"] = [{"name": "mirror"}]
    account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = "arn:aws:iam::1:role/images"
    await assert_denied(lambda: thief.try_create(account), "no Secret but registries", "its own annotations only")
    lists = {"pullSecrets": ["mirror"], "metadata": ["eks.amazonaws.com/role-arn"]}
    try:
        install(*(f"--set-json=admissionPolicy.{name}={json.dumps(keys)}" for name, keys in lists.items()))
        await eventually(lambda: thief.try_create(account).status == 201, within=20, why="what is listed is allowed")
        account["imagePullSecrets"].append({"name": "other"})
        await assert_denied(lambda: thief.try_create(account), "no Secret but registries")
    finally:
        install()
