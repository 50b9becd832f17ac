"""The operator comes, changes and goes by Helm; tenants stay."""

import asyncio
import secrets

from imghost_dev.cluster.install import NAMESPACE, RELEASE, Installation
from support import sample_images
from support.e2e.figures import Figures
from support.e2e.objects import Objects
from support.e2e.tenants import ClusterTenant, Tenants
from support.eventually import eventually

IMAGE = sample_images.photo(800, 600)


async def test_an_upgrade_of_the_operator_restarts_no_pod_of_a_tenant(
    tenants: Tenants, installation: Installation, objects: Objects, figures: Figures
) -> None:
    """`helm upgrade` replaces the operator's pods and none of a tenant's; the new operator goes on repairing."""
    tenant = await tenants.ready()
    await tenant.wait_until_settled()
    pods, operators = _pods(tenant), _operators(objects)
    try:
        with figures.measure("helm upgrade of the operator"):
            values = {"podAnnotations": {"e2e": secrets.token_hex(4)}, "logLevel": "debug"}
            await asyncio.to_thread(installation.operator, values)
        assert not _operators(objects) & operators
        objects.delete("Service", "api", tenant.namespace)
        await eventually(lambda: _has_service(objects, tenant), within=60, why="the new operator repairs")
        await tenant.wait_until_settled()
        assert _pods(tenant) == pods
    finally:
        await asyncio.to_thread(installation.operator)


async def test_the_charts_own_test_passes(installation: Installation) -> None:
    """`helm test`, which a platform team runs after an installation, finds an operator that works."""
    reported = await asyncio.to_thread(installation.helm, "test", RELEASE)
    assert "Phase:          Succeeded" in reported


async def test_an_uninstall_leaves_no_stuck_finalizer(
    tenants: Tenants, installation: Installation, objects: Objects, figures: Figures
) -> None:
    """`helm uninstall` leaves tenants serving; one of them can be deleted without an operator, its data stays, and an
    operator that is installed again takes up both.
    """
    kept, ended = await tenants.ready(), await tenants.ready()
    account = await ended.client.register()
    image = await ended.client.upload_or_fail(account, IMAGE)
    try:
        with figures.measure("helm uninstall"):
            await asyncio.to_thread(installation.helm, "uninstall", RELEASE, "--wait")
        assert _operators(objects) == set()
        for tenant in (kept, ended):
            assert tenant.now["metadata"].get("finalizers", []) == []
        assert (await ended.client.view(image["view_url"])).content == IMAGE
        ended.delete()
        with figures.measure("tenant deleted without an operator"):
            await ended.wait_until_deleted()
        await kept.client.register()
    finally:
        await asyncio.to_thread(installation.operator)
    await eventually(lambda: bool(kept.now["metadata"].get("finalizers")), within=60, why="the tenant is held again")
    await kept.wait_until_settled()
    again = await tenants.ready(name=ended.name)
    assert (await again.client.view(f"{again.urls['view']}/i/{image['id']}")).content == IMAGE


def _pods(tenant: ClusterTenant) -> dict[str, int]:
    """Uid of each pod and how often its container was restarted."""
    return {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in tenant.pods()}


def _operators(objects: Objects) -> set[str]:
    found = objects.list("Pod", NAMESPACE, "app.kubernetes.io/component=operator")
    return {pod["metadata"]["uid"] for pod in found if not pod["metadata"].get("deletionTimestamp")}


def _has_service(objects: Objects, tenant: ClusterTenant) -> bool:
    return objects.find("Service", "api", tenant.namespace) is not None
