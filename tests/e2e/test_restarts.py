"""Pods come and go while people upload and look."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from support.cluster.kubectl import Kubectl
from support.e2e.audit import nothing_is_lost
from support.e2e.client import Client
from support.e2e.crash import Crash
from support.e2e.figures import Figures
from support.e2e.ledger import Ledger
from support.e2e.load import Load
from support.e2e.objects import Objects
from support.e2e.tenants import Tenant, Tenants
from support.eventually import eventually

TWO = {"replicas": 2}
ROLLED_WITHIN = 120
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


async def test_everything_killed_at_once_loses_nothing(
    tenants: Tenants, crash: Crash, figures: Figures, tmp_path: Path
) -> None:
    """SIGKILL for all of a tenant's processes at the same moment under load: it serves again by itself, and no
    acknowledged upload is lost. That requests fail meanwhile cannot be helped; how many is told.
    """
    tenant, client, ledger = await _prepared(tenants, tmp_path)
    load = Load(client, ledger)
    async with load.running() as seen:
        await _uploaded(ledger, ENOUGH)
        crashes = _crashes(tenant)
        assert crash.kill(tenant.pods())
        await eventually(partial(_has_crashed, tenant, crashes), within=ROLLED_WITHIN, why="the crash is noticed")
        with figures.timed("serving again after kill -9 of everything"):
            await _uploaded(ledger, len(ledger) + 1)
        await _is_back(tenant)
        await _uploaded(ledger, len(ledger) + ENOUGH)
    await nothing_is_lost(client, ledger)
    figures.say(f"kill -9 of everything: {len(ledger)} uploads kept, {len(seen.failures)} requests failed meanwhile")


async def _unnoticed(
    tenants: Tenants, figures: Figures, folder: Path, name: str, fault: Callable[[Tenant], Awaitable[None]]
) -> None:
    tenant, client, ledger = await _prepared(tenants, folder)
    load = Load(client, ledger)
    async with load.running() as seen:
        await _uploaded(ledger, ENOUGH)
        with figures.timed(f"{name} under load"):
            await fault(tenant)
        await _uploaded(ledger, len(ledger) + ENOUGH)
    assert seen.failures == []
    await nothing_is_lost(client, ledger)
    figures.add(f"upload of 60 kB during {name}", *seen.uploads)
    figures.add(f"view during {name}", *seen.views)
    served = len(seen.uploads) + len(seen.views)
    figures.say(f"{name}: {served} requests served, {client.again} of them by a retry, 0 failed")


async def _prepared(tenants: Tenants, folder: Path) -> tuple[Tenant, Client, Ledger]:
    tenant = await tenants.ready(api=TWO, imaging=TWO)
    await tenant.settled()
    return tenant, tenant.client, Ledger(folder / "ledger")


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
