"""What a tenant costs and how fast it answers, for the table; nothing here depends on time."""

from time import monotonic

import httpx

from imghost_dev.cluster.install import BACKENDS, NAMESPACE
from imghost_dev.cluster.kubectl import Object
from support import sample_images
from support.e2e.figures import Figures
from support.e2e.objects import Objects
from support.e2e.tenants import Tenants
from support.eventually import eventually

TIMES = 20
TWO_MEGABYTES = (4320, 3240)


async def test_uploads_and_views_through_the_services(tenants: Tenants, objects: Objects, figures: Figures) -> None:
    """Photographs of 2 MB and their thumbnails go through gateway and Services one after the other, none is refused;
    metrics-server knows the memory of every pod.
    """
    tenant = await tenants.ready()
    await eventually(lambda: _is_measured(objects, tenant.namespace), within=90, every=1, why="pods are measured")
    for namespace in (tenant.namespace, NAMESPACE, BACKENDS):
        for name, used in sorted(_memory(objects, namespace).items()):
            figures.say(f"memory at rest: {name:44} {used:4} MiB")
    account = await tenant.client.register()
    for number in range(TIMES):
        photo = sample_images.photo(*TWO_MEGABYTES, seed=1 + number % 3)
        began = monotonic()
        image = await tenant.client.upload_or_fail(account, photo)
        figures.add(f"upload of {len(photo) / 1e6:.1f} MB", monotonic() - began)
        for name, url in (("thumbnail", image["thumbnail"]), ("original", image["view_url"])):
            began = monotonic()
            response = await tenant.client.view(url)
            figures.add(f"view of a {name}", monotonic() - began)
            assert response.status_code == httpx.codes.OK
    assert tenant.client.again == []


def _is_measured(objects: Objects, namespace: str) -> bool:
    return set(_memory(objects, namespace)) == {pod["metadata"]["name"] for pod in _running(objects, namespace)}


def _memory(objects: Objects, namespace: str) -> dict[str, int]:
    """MiB of each pod, as metrics-server says."""
    return {
        pod["metadata"]["name"]: sum(_kibibytes(container["usage"]["memory"]) for container in pod["containers"])
        // 1024
        for pod in objects.list("PodMetrics", namespace)
    }


def _running(objects: Objects, namespace: str) -> list[Object]:
    return [pod for pod in objects.list("Pod", namespace) if pod["status"]["phase"] == "Running"]


def _kibibytes(amount: str) -> int:
    factors = {"Ki": 1, "Mi": 1024, "Gi": 1024**2}
    return int(amount[:-2]) * factors[amount[-2:]]
