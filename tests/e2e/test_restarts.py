"""Pods come and go while people upload and look."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import httpx

from support.cluster.install import BACKENDS, NAMESPACE
from support.cluster.kubectl import Kubectl
from support.e2e.audit import nothing_is_lost
from support.e2e.client import PAUSE, Client
from support.e2e.crash import Crash
from support.e2e.figures import Figures
from support.e2e.ledger import Ledger
from support.e2e.load import Load, Seen
from support.e2e.objects import Objects
from support.e2e.tenants import Tenant, Tenants
from support.eventually import eventually

TWO = {"replicas": 2}
ROLLED_WITHIN = 120
STARTED_AGAIN_WITHIN = 15.0
ENOUGH = 30  # uploads before and after a fault, so that it really happened under load


async def test_a_rolling_restart_is_not_noticed(
    tenants: Tenants, kubectl: Kubectl, figures: Figures, tmp_path: Path
) -> None:
    """All pods of api and imaging are replaced under load: a client with one retry sees no failed request, and no
    acknowledged upload is lost (000-A5).
    """

    async def restart(tenant: Tenant) -> None:
        before = _names(tenant)
        for name in ("api", "imaging"):
            arguments = ("rollout", "restart", f"deployment/{name}", f"--namespace={tenant.namespace}")
            await asyncio.to_thread(kubectl, *arguments)
        await _replaced(tenant, before)

    await _unnoticed(tenants, figures, tmp_path, "rolling restart", restart)


async def test_a_drained_node_is_not_noticed(
    tenants: Tenants, objects: Objects, figures: Figures, tmp_path: Path
) -> None:
    """Every pod is evicted as a node's drain does it, within the disruption budgets, under load: a client with one
    retry sees no failed request, and no acknowledged upload is lost.
    """

    async def drain(tenant: Tenant) -> None:
        before = _names(tenant)
        for name in sorted(before):
            await eventually(
                partial(objects.evict, name, tenant.namespace),
                within=ROLLED_WITHIN,
                every=0.25,
                why=f"the disruption budget allows the eviction of {name}",
            )
        await _replaced(tenant, before)

    await _unnoticed(tenants, figures, tmp_path, "drain", drain)


async def test_killed_processes_lose_nothing(tenants: Tenants, crash: Crash, figures: Figures, tmp_path: Path) -> None:
    """SIGKILL for one pod after the other under load: a client with one retry sees no failed request, and no
    acknowledged upload is lost.
    """

    async def kill_each(tenant: Tenant) -> None:
        for pod in tenant.pods("api") + tenant.pods("imaging"):
            crashes = _crashes(tenant)
            assert crash.kill([pod])
            await eventually(partial(_has_crashed, tenant, crashes), within=ROLLED_WITHIN, why="the crash is noticed")
            await _is_back(tenant)

    await _unnoticed(tenants, figures, tmp_path, "kill -9 of each", kill_each)


async def test_a_node_wide_kill_is_outlived(
    tenants: Tenants, objects: Objects, crash: Crash, operators_renewed: None, figures: Figures, tmp_path: Path
) -> None:
    """SIGKILL at one moment, under load, for every process of imghost on the node: servers, gateway, operator,
    PostgreSQL and MinIO. A client that sends once more, when all has had the time to start again, sees no failed
    request, and no acknowledged upload is lost.
    """
    tenant, client, ledger = await _prepared(tenants, tmp_path, pause=STARTED_AGAIN_WITHIN)
    async with Load(client, ledger).running() as seen:
        await _uploaded(ledger, ENOUGH)
        crashes = _crashes(tenant)
        others = [pod for namespace in (BACKENDS, NAMESPACE) for pod in objects.list("Pod", namespace)]
        assert crash.kill([*tenant.pods(), *tenant.gateways(), *others])
        with figures.timed("serving again after a node-wide kill -9"):
            await eventually(partial(_has_crashed, tenant, crashes), within=ROLLED_WITHIN, why="the crash is noticed")
            await eventually(
                _serves(tenant), within=ROLLED_WITHIN, every=0.1, ignoring=(httpx.TransportError,), why="it serves"
            )
        await _is_back(tenant)
        await _uploaded(ledger, len(ledger) + ENOUGH)
    _say(figures, "node-wide kill -9", client, seen)
    assert seen.failures == []
    await nothing_is_lost(client, ledger)


def _serves(tenant: Tenant) -> Callable[[], Awaitable[bool]]:
    """Whether one look at the tenant's readiness, that is not repeated, finds api and imaging."""

    async def serves() -> bool:
        answers = [
            await tenant.client.http.get(f"{url}/readyz") for url in (tenant.urls["upload"], tenant.urls["view"])
        ]
        return all(answer.status_code == httpx.codes.OK for answer in answers)

    return serves


async def _unnoticed(
    tenants: Tenants, figures: Figures, folder: Path, name: str, fault: Callable[[Tenant], Awaitable[None]]
) -> None:
    tenant, client, ledger = await _prepared(tenants, folder)
    async with Load(client, ledger).running() as seen:
        await _uploaded(ledger, ENOUGH)
        with figures.timed(f"{name} under load"):
            await fault(tenant)
        await _uploaded(ledger, len(ledger) + ENOUGH)
    _say(figures, name, client, seen)
    assert seen.failures == []
    await nothing_is_lost(client, ledger)


def _say(figures: Figures, name: str, client: Client, seen: Seen) -> None:
    figures.add(f"upload of 60 kB during {name}", *seen.uploads)
    figures.add(f"view during {name}", *seen.views)
    served, failed = len(seen.uploads) + len(seen.views), len(seen.failures)
    figures.say(f"{name}: {served} requests served, {len(client.again)} repeated, {failed} failed")
    for again in client.again:
        figures.say(f"  repeated: {again}")


async def _prepared(tenants: Tenants, folder: Path, pause: float = PAUSE) -> tuple[Tenant, Client, Ledger]:
    tenant = await tenants.ready(api=TWO, imaging=TWO)
    await tenant.settled()
    return tenant, tenant.client_with(pause), Ledger(folder / "ledger")


async def _uploaded(ledger: Ledger, count: int) -> None:
    await eventually(lambda: len(ledger) >= count, within=90, why=f"{count} uploads are acknowledged")


async def _replaced(tenant: Tenant, before: set[str]) -> None:
    def all_new() -> bool:
        now = _names(tenant)
        assert not now & before, now & before
        return True

    await eventually(all_new, within=ROLLED_WITHIN, why="all pods are replaced")
    await _is_back(tenant)


async def _is_back(tenant: Tenant) -> None:
    """Wait until all pods are ready, as the cluster sees it."""

    def ready() -> bool:
        pods = tenant.pods("api") + tenant.pods("imaging")
        states = {pod["metadata"]["name"]: _is_ready(pod) for pod in pods}
        assert len(states) == 4, states
        assert all(states.values()), states
        return True

    await eventually(ready, within=ROLLED_WITHIN, why="all pods are ready")


def _crashes(tenant: Tenant) -> int:
    """How often containers of the tenant's servers were restarted."""
    pods = tenant.pods("api") + tenant.pods("imaging")
    return sum(it["restartCount"] for pod in pods for it in pod["status"].get("containerStatuses", ()))


def _has_crashed(tenant: Tenant, before: int) -> bool:
    return _crashes(tenant) > before


def _is_ready(pod: dict[str, object]) -> bool:
    status = pod["status"]
    assert isinstance(status, dict)
    return any(it["type"] == "Ready" and it["status"] == "True" for it in status.get("conditions", ()))


def _names(tenant: Tenant) -> set[str]:
    return {pod["metadata"]["name"] for pod in tenant.pods("api") + tenant.pods("imaging")}
