"""What platforms and tools write to objects of ours stays, and causes no fight."""

from typing import Any

import pytest

from imghost_operator.platform import Object, ObjectRef
from imghost_operator.tenant_contract import REGISTRIES_SECRET
from support.reconcile_harness import ReconcileHarness

STRATEGIC = "application/strategic-merge-patch+json"
REGISTRY = '{"auths": {"registry.example.com": {"auth": "eDp5"}}}'

# What is written: (field manager, kind, name, change). The name of the Namespace is the tenant's.
WRITTEN: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "argocd-controller",
        "Deployment",
        "api",
        {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "a:b"}}},
    ),
    ("argocd-controller", "Service", "api", {"metadata": {"annotations": {"argocd.argoproj.io/sync-options": "x"}}}),
    ("capsule", "Namespace", "", {"metadata": {"labels": {"capsule.clastix.io/tenant": "team"}}}),
    ("cert-manager-cainjector", "Secret", "internal", {"metadata": {"annotations": {"cert-manager.io/x": "y"}}}),
    ("cluster-policy-controller", "Namespace", "", {"metadata": {"annotations": {"openshift.io/sa.scc.mcs": "s0:c1"}}}),
    ("gke", "Service", "imaging", {"metadata": {"finalizers": ["networking.gke.io/neg-finalizer"]}}),
    ("helm", "ConfigMap", "api", {"metadata": {"labels": {"example.com/team": "x"}}}),
    ("istio", "Namespace", "", {"metadata": {"labels": {"istio-injection": "enabled"}}}),
    (
        "istio",
        "Deployment",
        "imaging",
        {"spec": {"template": {"metadata": {"labels": {"istio.io/rev": "stable"}, "annotations": {"a/b": "c"}}}}},
    ),
    ("istio", "Service", "api", {"spec": {"ports": [{"port": 5001, "protocol": "TCP", "appProtocol": "http"}]}}),
    ("kubectl-rollout", "Deployment", "worker", {"spec": {"template": {"metadata": {"annotations": {"r/At": "now"}}}}}),
    ("linkerd", "Namespace", "", {"metadata": {"annotations": {"linkerd.io/inject": "enabled"}}}),
    (
        "scheduling",
        "Deployment",
        "api",
        {
            "spec": {
                "template": {"spec": {"tolerations": [{"key": "a", "operator": "Exists"}], "nodeSelector": {"b": "c"}}}
            }
        },
    ),
    (
        "openshift-controller-manager",
        "ServiceAccount",
        "api",
        {"secrets": [{"name": "dockercfg"}], "imagePullSecrets": [{"name": "dockercfg"}]},
    ),
    ("openshift-network", "NetworkPolicy", "dns", {"metadata": {"annotations": {"k8s.ovn.org/acl-logging": "{}"}}}),
    ("vpa", "HorizontalPodAutoscaler", "imaging", {"metadata": {"annotations": {"example.com/a": "b"}}}),
    ("rancher", "ResourceQuota", "compute", {"metadata": {"labels": {"cattle.io/creator": "norman"}}}),
]


def written(bench: ReconcileHarness) -> list[tuple[str, ObjectRef, dict[str, Any]]]:
    return [
        (manager, ObjectRef(kind, bench.namespace if name else "", name or bench.namespace), change)
        for manager, kind, name, change in WRITTEN
    ]


def has(live: Any, change: Any) -> bool:
    """Whether an object has everything of a change, in lists at any place."""
    if isinstance(change, dict):
        return isinstance(live, dict) and all(key in live and has(live[key], value) for key, value in change.items())
    if isinstance(change, list):
        return isinstance(live, list) and all(any(has(item, wanted) for item in live) for wanted in change)
    return bool(live == change)


@pytest.mark.parametrize("registries", ["", REGISTRY])
async def test_what_other_managers_write_stays_and_nothing_is_written_back(
    bench: ReconcileHarness, registries: str
) -> None:
    """Passes afterwards make no call; neither does anything vanish when all objects are applied again."""
    bench.release = with_registries(bench, registries)
    bench.create(imaging={"autoscaling": {"minReplicas": 1, "maxReplicas": 3}})
    async with bench.running():
        await bench.ready()
        await bench.calm()
        for manager, ref, change in written(bench):
            bench.patch(ref, change, STRATEGIC, manager=manager)
        await bench.calm()
        await bench.ready()
        await bench.calm()
        before = bench.calls()
        await bench.one_pass()
        assert bench.calls() == before
        assert_kept(bench)
        bench.edit(podMetadata={"annotations": {"example.com/new": "x"}}, displayName="Another")
        await bench.ready()
        assert_kept(bench)
    bench.patch(ObjectRef("Service", bench.namespace, "imaging"), {"metadata": {"finalizers": None}})


def assert_kept(bench: ReconcileHarness) -> None:
    lost = [(manager, ref, change) for manager, ref, change in written(bench) if not has(bench.get(ref), change)]
    assert not lost


def with_registries(bench: ReconcileHarness, registries: str) -> Any:
    release = bench.release
    return type(release)(release.version, release.api_image, release.imaging_image, registries=registries)


async def test_credentials_of_registries_that_are_dropped_leave_no_name_behind(bench: ReconcileHarness) -> None:
    """Service accounts stop naming our pull secret, and keep those of the platform."""
    bench.release = with_registries(bench, REGISTRY)
    bench.create()
    account = ObjectRef("ServiceAccount", bench.namespace, "api")
    async with bench.running():
        await bench.ready()
        await bench.calm()
        both = [{"name": REGISTRIES_SECRET}, {"name": "dockercfg"}]
        bench.patch(account, {"imagePullSecrets": both}, STRATEGIC, manager="openshift")
        await bench.calm()
    bench.release = with_registries(bench, "")
    async with bench.running():
        await bench.until(
            lambda: not bench.exists(ObjectRef("Secret", bench.namespace, REGISTRIES_SECRET)),
            why="the Secret is pruned",
        )
        found: Object = bench.get(account)
    assert found["imagePullSecrets"] == [{"name": "dockercfg"}]
