"""What happens to a tenant while people upload and look, and what they may notice of it."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from imghost_dev.cluster.kubectl import Object
from support.e2e.audit import assert_nothing_is_lost
from support.e2e.client import PAUSE, Client
from support.e2e.figures import Figures
from support.e2e.ledger import Ledger
from support.e2e.load import Load, Seen
from support.e2e.tenants import ClusterTenant, Tenants
from support.eventually import eventually

TWO = {"replicas": 2}
REPLACED_WITHIN = 120
ENOUGH = 30
"""Uploads before and after a fault, so that it really happened under load."""

Fault = Callable[[ClusterTenant], Awaitable[None]]


class Faults:
    """Lets faults happen to fresh tenants with two pods of each service; `folder` is for the ledger."""

    def __init__(self, tenants: Tenants, figures: Figures, folder: Path) -> None:
        self._tenants, self._figures, self._folder = tenants, figures, folder

    async def assert_unnoticed(self, name: str, fault: Fault, *, pause: float = PAUSE) -> None:
        """The fault happens under load: a client that sends again once, after a pause, sees no failed request, and
        what was acknowledged is there afterwards; else AssertionError.
        """
        tenant = await self._tenants.ready(api=TWO, imaging=TWO)
        await tenant.wait_until_settled()
        client, ledger = tenant.client_with(pause), Ledger(self._folder / "ledger")
        async with Load(client, ledger).running() as seen:
            await _wait_for_uploads(ledger, ENOUGH)
            with self._figures.measure(f"{name} under load"):
                await fault(tenant)
            await _wait_for_uploads(ledger, len(ledger) + ENOUGH)
        self._report(name, client, seen)
        assert seen.failures == []
        await assert_nothing_is_lost(client, ledger)

    def _report(self, name: str, client: Client, seen: Seen) -> None:
        self._figures.add(f"upload of 60 kB during {name}", *seen.uploads)
        self._figures.add(f"view during {name}", *seen.views)
        served, failed = len(seen.uploads) + len(seen.views), len(seen.failures)
        self._figures.say(f"{name}: {served} requests served, {len(client.again)} sent again, {failed} failed")
        for again in client.again:
            self._figures.say(f"  sent again: {again}")


def servers(tenant: ClusterTenant) -> list[Object]:
    """The pods of both services."""
    return tenant.pods("api") + tenant.pods("imaging")


def names(tenant: ClusterTenant) -> set[str]:
    """What the pods of both services are called."""
    return {pod["metadata"]["name"] for pod in servers(tenant)}


async def wait_until_replaced(tenant: ClusterTenant, before: set[str]) -> None:
    """Wait until none of these pods is left and all others are ready."""

    def all_new() -> bool:
        now = names(tenant)
        assert not now & before, now & before
        return True

    await eventually(all_new, within=REPLACED_WITHIN, why="all pods are replaced")
    await wait_until_back(tenant)


async def wait_until_rolled_out(tenant: ClusterTenant, component: str, image: str) -> None:
    """Wait until all pods of a service run this image and are ready, and no other is left."""

    def all_of_it() -> bool:
        pods = tenant.pods(component)
        images = [container["image"] for pod in pods for container in pod["spec"]["containers"]]
        assert images == [image] * TWO["replicas"], images
        assert all(map(_is_ready, pods)), [pod["status"] for pod in pods]
        return True

    await eventually(all_of_it, within=REPLACED_WITHIN, why=f"all pods of {component} run {image}")


async def wait_until_back(tenant: ClusterTenant) -> None:
    """Wait until all pods are ready, as the cluster sees it."""

    def ready() -> bool:
        states = {pod["metadata"]["name"]: _is_ready(pod) for pod in servers(tenant)}
        assert len(states) == 2 * TWO["replicas"], states
        assert all(states.values()), states
        return True

    await eventually(ready, within=REPLACED_WITHIN, why="all pods are ready")


def crashes(tenant: ClusterTenant) -> int:
    """How often containers of the tenant's servers were restarted."""
    return sum(
        status["restartCount"] for pod in servers(tenant) for status in pod["status"].get("containerStatuses", ())
    )


async def wait_for_crash(tenant: ClusterTenant, before: int) -> None:
    """Wait until the cluster has noticed a crash."""
    await eventually(partial(_more_crashes, tenant, before), within=REPLACED_WITHIN, why="the crash is noticed")


def _more_crashes(tenant: ClusterTenant, before: int) -> bool:
    return crashes(tenant) > before


async def _wait_for_uploads(ledger: Ledger, count: int) -> None:
    await eventually(lambda: len(ledger) >= count, within=90, why=f"{count} uploads are acknowledged")


def _is_ready(pod: Object) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod["status"].get("conditions", ())
    )
