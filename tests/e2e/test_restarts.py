"""Pods come and go while people upload and look."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import httpx
import pytest

from imghost_dev.cluster.install import BACKENDS, NAMESPACE
from imghost_dev.cluster.kubectl import Kubectl
from support.e2e import faults
from support.e2e.crash import Crash
from support.e2e.faults import REPLACED_WITHIN, Faults
from support.e2e.figures import Figures
from support.e2e.objects import Objects
from support.e2e.tenants import ClusterTenant
from support.eventually import eventually

STARTED_AGAIN_WITHIN = 25.0


@pytest.mark.requirement("000-A5")
async def test_a_rolling_restart_is_not_noticed(under_load: Faults, kubectl: Kubectl) -> None:
    """All pods of api and imaging are replaced under load: a client with one retry sees no failed request, and no
    acknowledged upload is lost.
    """

    async def restart(tenant: ClusterTenant) -> None:
        before = faults.names(tenant)
        for name in ("api", "imaging"):
            arguments = ("rollout", "restart", f"deployment/{name}", f"--namespace={tenant.namespace}")
            await asyncio.to_thread(kubectl, *arguments)
        await faults.wait_until_replaced(tenant, before)

    await under_load.assert_unnoticed("rolling restart", restart)


async def test_a_drained_node_is_not_noticed(under_load: Faults, objects: Objects) -> None:
    """Every pod is evicted as a node's drain does it, within the disruption budgets, under load: a client with one
    retry sees no failed request, and no acknowledged upload is lost.
    """

    async def drain(tenant: ClusterTenant) -> None:
        before = faults.names(tenant)
        for name in sorted(before):
            await eventually(
                partial(objects.evict, name, tenant.namespace),
                within=REPLACED_WITHIN,
                every=0.25,
                why=f"the disruption budget allows the eviction of {name}",
            )
        await faults.wait_until_replaced(tenant, before)

    await under_load.assert_unnoticed("drain", drain)


async def test_killed_processes_lose_nothing(under_load: Faults, crash: Crash) -> None:
    """SIGKILL for one pod after the other under load: a client with one retry sees no failed request, and no
    acknowledged upload is lost.
    """

    async def kill_each(tenant: ClusterTenant) -> None:
        for pod in faults.servers(tenant):
            crashes = faults.crashes(tenant)
            assert crash.kill([pod])
            await faults.wait_for_crash(tenant, crashes)
            await faults.wait_until_back(tenant)

    await under_load.assert_unnoticed("kill -9 of each", kill_each)


async def test_killing_every_process_of_the_node_loses_no_upload(
    under_load: Faults,
    objects: Objects,
    crash: Crash,
    operators_renewed: None,
    backends_renewed: None,
    figures: Figures,
) -> None:
    """SIGKILL at one moment, under load, for every process of imghost on the node: servers, gateway, operator,
    PostgreSQL and MinIO. A client that sends once more, when all has had the time to start again, sees no failed
    request, and no acknowledged upload is lost.
    """

    async def kill_all(tenant: ClusterTenant) -> None:
        crashes = faults.crashes(tenant)
        others = [pod for namespace in (BACKENDS, NAMESPACE) for pod in objects.list("Pod", namespace)]
        assert crash.kill([*tenant.pods(), *tenant.gateways(), *others])
        with figures.measure("serving again after a node-wide kill -9"):
            await eventually(
                _serves(tenant), within=REPLACED_WITHIN, every=0.1, ignoring=(httpx.TransportError,), why="it serves"
            )
        await faults.wait_for_crash(tenant, crashes)
        await faults.wait_until_back(tenant)

    await under_load.assert_unnoticed("node-wide kill -9", kill_all, pause=STARTED_AGAIN_WITHIN)


def _serves(tenant: ClusterTenant) -> Callable[[], Awaitable[bool]]:
    """Whether one look at the tenant's readiness, that is not repeated, finds api and imaging."""
    http, urls = tenant.client.http, (tenant.urls["upload"], tenant.urls["view"])

    async def serves() -> bool:
        answers = [await http.get(f"{url}/readyz") for url in urls]
        return all(response.status_code == httpx.codes.OK for response in answers)

    return serves
