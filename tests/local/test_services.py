"""Services of the local platform: addresses, balance, and bytes in both directions."""

import asyncio
import os
import socket

import httpx
import pytest

from imghost_local.addresses import open_listener
from imghost_local.state import State
from support.eventually import eventually
from support.local_platform import CONFIG, NAMESPACE, SERVICE, LocalPlatformHarness, deployment


async def test_an_unready_pod_gets_no_connections(local: LocalPlatformHarness, state: State) -> None:
    """A pod whose readiness probe fails is left out of the balance until it recovers, without a restart."""
    await local.serve(replicas=2)
    await eventually(lambda: local.is_ready(2), 10)
    sick, well = local.pods
    mark = state.pods / NAMESPACE / sick.name / "sick"
    mark.touch()
    await eventually(lambda: local.status["readyReplicas"] == 1, 10)
    assert {(await local.ask())["pid"] for _ in range(4)} == {well.pid}
    mark.unlink()
    await eventually(lambda: local.is_ready(2), 10)
    assert sick.restarts == 0


@pytest.mark.services
async def test_a_port_taken_on_all_addresses_is_stepped_around(state: State) -> None:
    """When another program has port 8080 of every address, pods listen elsewhere and Services still find them."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("", 0))
        other.listen()
        local = LocalPlatformHarness(state)
        taken = other.getsockname()[1]
        made = deployment()
        made["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = taken
        try:
            for obj in ({**CONFIG, "data": {"PORT": str(taken)}}, SERVICE, made):
                await local.apply(obj)
            await eventually(lambda: local.is_ready(1), 10)
            assert int((await local.ask())["env"]["PORT"]) != taken
        finally:
            await local.platform.close()


async def test_ports_are_remembered(local: LocalPlatformHarness, state: State) -> None:
    """The next start gives the same address to the same port; a port taken meanwhile is replaced."""
    url = local.url
    await local.platform.close()
    again = LocalPlatformHarness(state)
    assert again.url == url
    await again.platform.close()
    taken = open_listener(int(url.rsplit(":", 1)[1]))
    assert taken is not None
    third = LocalPlatformHarness(state)
    assert third.url != url
    await third.platform.close()
    taken.close()


async def test_large_bodies_pass_both_ways_concurrently(local: LocalPlatformHarness) -> None:
    """A Service carries 20 concurrent uploads of 5 MB without holding them in memory."""
    await local.serve()
    await eventually(lambda: local.is_ready(1), 10)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        body = os.urandom(5_000_000)
        responses = await asyncio.gather(*(client.post(local.url, content=body) for _ in range(20)))
    assert {response.status_code for response in responses} == {200}
