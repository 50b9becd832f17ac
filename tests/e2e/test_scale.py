"""More pods and fewer, asked for in the manifest and by `kubectl scale`."""

from imghost_dev.cluster.kubectl import Kubectl
from support.e2e.figures import Figures
from support.e2e.tenants import ClusterTenant, Tenants
from support.eventually import eventually


async def test_services_are_scaled_each_on_its_own(tenants: Tenants, kubectl: Kubectl, figures: Figures) -> None:
    """Imaging follows `spec.imaging.replicas` while the api's pods stay the same; `kubectl scale` of the tenant scales
    the api while imaging's stay the same; a Deployment scaled by hand goes back to what the manifest says.
    """
    tenant = await tenants.ready()
    before = _names(tenant, "api")
    for replicas in (2, 1):
        with figures.measure("scaled by spec.imaging.replicas"):
            tenant.edit(imaging={"replicas": replicas})
            await _has_pods(tenant, "imaging", replicas)
    assert _names(tenant, "api") == before

    before = _names(tenant, "imaging")
    for replicas in (2, 1):
        with figures.measure("scaled by kubectl scale"):
            kubectl("scale", "imagehosttenant", tenant.name, f"--replicas={replicas}")
            await _has_pods(tenant, "api", replicas)
        assert tenant.now["spec"]["api"]["replicas"] == replicas
    assert _names(tenant, "imaging") == before

    kubectl("scale", "deployment", "imaging", f"--namespace={tenant.namespace}", "--replicas=3")
    await eventually(lambda: _asked(tenant, "imaging") == 1, within=30, why="the Deployment is as the manifest says")
    await _has_pods(tenant, "imaging", 1)


def _asked(tenant: ClusterTenant, component: str) -> int:
    return int(tenant.get("Deployment", component)["spec"]["replicas"])


async def _has_pods(tenant: ClusterTenant, component: str, count: int) -> None:
    def ready() -> bool:
        status = tenant.get("Deployment", component)["status"]
        counts = (status.get("replicas", 0), status.get("readyReplicas", 0), len(tenant.pods(component)))
        assert counts == (count,) * 3, counts
        return True

    await eventually(ready, within=90, why=f"{component} has {count} pods")
    await eventually(
        lambda: bool(tenant.now["status"][component]["ready"] == count),
        within=30,
        why=f"the tenant's status shows {count} pods of {component}",
    )
    assert tenant.now["status"][component]["desired"] == count


def _names(tenant: ClusterTenant, component: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in tenant.pods(component)}
