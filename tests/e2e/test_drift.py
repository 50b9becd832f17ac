"""What a person changes by hand is repaired immediately."""

from collections.abc import Callable
from time import monotonic

from support.e2e.figures import Figures
from support.e2e.objects import Objects
from support.e2e.tenants import ClusterTenant, Tenants
from support.eventually import eventually

TIMES, DELETIONS = 20, 5  # a deleted Deployment takes its pods along, so that is tried less often
REPAIRED_WITHIN = 30


async def test_children_changed_by_hand_are_repaired(tenants: Tenants, objects: Objects, figures: Figures) -> None:
    """A deleted Deployment, an edited Service and NetworkPolicy are as before, and the tenant serves again."""
    tenant = await tenants.ready()
    for _ in range(DELETIONS):
        await _assert_repaired(figures, "Deployment", lambda: _delete_deployment(tenant, objects))
    for _ in range(TIMES):
        await _assert_repaired(figures, "Service", lambda: _edit_service(tenant, objects))
        await _assert_repaired(figures, "NetworkPolicy", lambda: _open_network(tenant, objects))
    await tenant.wait_until_settled()
    account = await tenant.client.register()
    assert account.key


async def _assert_repaired(figures: Figures, kind: str, damage: Callable[[], Callable[[], bool]]) -> None:
    is_repaired = damage()
    began = monotonic()
    await eventually(is_repaired, within=REPAIRED_WITHIN, every=0.01, why=f"the {kind} is repaired")
    took = monotonic() - began
    figures.add(f"drift repaired: {kind}", took)
    figures.add("drift repaired: all of these", took)


def _delete_deployment(tenant: ClusterTenant, objects: Objects) -> Callable[[], bool]:
    before = tenant.get("Deployment", "imaging")
    objects.delete("Deployment", "imaging", tenant.namespace)

    def wait_until_back() -> bool:
        found = objects.find("Deployment", "imaging", tenant.namespace)
        return bool(
            found
            and found["metadata"]["uid"] != before["metadata"]["uid"]
            and found["spec"]["template"] == before["spec"]["template"]
        )

    return wait_until_back


def _edit_service(tenant: ClusterTenant, objects: Objects) -> Callable[[], bool]:
    before = tenant.get("Service", "api")["spec"]
    objects.patch("Service", "api", {"spec": {"selector": {"app": "other"}}}, tenant.namespace)
    return lambda: bool(tenant.get("Service", "api")["spec"] == before)


def _open_network(tenant: ClusterTenant, objects: Objects) -> Callable[[], bool]:
    before = tenant.get("NetworkPolicy", "default-deny")["spec"]
    objects.patch("NetworkPolicy", "default-deny", {"spec": {"ingress": [{}]}}, tenant.namespace)
    return lambda: bool(tenant.get("NetworkPolicy", "default-deny")["spec"] == before)
