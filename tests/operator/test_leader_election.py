"""The election on a real API server, with clocks that the test sets."""

from collections.abc import AsyncIterator

import pytest

from imghost_operator import kubeconfig
from imghost_operator.errors import NotLeader
from imghost_operator.kubernetes_client import KubernetesClient
from imghost_operator.leader_election import LEASE, LeaderElector
from imghost_operator.metrics import Metrics
from support.kube import Kube

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fenced", "namespace": "default"}}


class Clock:
    """A monotonic clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def cluster(kube: Kube) -> AsyncIterator[KubernetesClient]:
    async with KubernetesClient(kubeconfig.load(kube.kubeconfig), Metrics()) as made:
        yield made
    kube.kubectl("delete", "lease", LEASE, "-n", "default", "--ignore-not-found")
    kube.kubectl("delete", "configmap", "fenced", "-n", "default", "--ignore-not-found")


async def test_one_elector_holds_the_lease_at_a_time(cluster: KubernetesClient) -> None:
    """The second takes the lease only when the first did not renew it for 15 s of the second's own clock."""
    mine, theirs = Clock(), Clock()
    first, second = (
        LeaderElector(cluster, "default", "one", clock=mine),
        LeaderElector(cluster, "default", "two", clock=theirs),
    )
    await first.acquire()
    first.check()
    assert not await second.try_acquire()
    theirs.now += 10
    assert await first.try_renew()
    assert not await second.try_acquire()  # it was renewed: the waiting begins again
    theirs.now += 14
    assert not await second.try_acquire()
    theirs.now += 2
    assert await second.try_acquire()
    second.check()


async def test_who_was_frozen_may_not_write(cluster: KubernetesClient) -> None:
    """An operator that was stopped longer than its lease is refused its next write, and learns that it lost."""
    mine, theirs = Clock(), Clock()
    first, second = (
        LeaderElector(cluster, "default", "one", clock=mine),
        LeaderElector(cluster, "default", "two", clock=theirs),
    )
    cluster.fence = first.check
    await first.acquire()
    assert not await second.try_acquire()
    mine.now += 30
    theirs.now += 30
    with pytest.raises(NotLeader):
        await cluster.create(CONFIG)
    assert await second.try_acquire()
    assert not await first.try_renew()
    with pytest.raises(NotLeader):
        first.check()


async def test_a_release_lets_the_next_begin_immediately(cluster: KubernetesClient) -> None:
    """Who ends in order does not make the next one wait; and counts as a change of leader."""
    first, second = LeaderElector(cluster, "default", "one"), LeaderElector(cluster, "default", "two")
    await first.acquire()
    await first.release()
    with pytest.raises(NotLeader):
        first.check()
    assert await second.try_acquire()
    lease = await cluster.get("Lease", "default", LEASE)
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]) == ("two", 1)


async def test_no_process_leads_before_the_election(cluster: KubernetesClient) -> None:
    """Without a lease every write is refused."""
    cluster.fence = LeaderElector(cluster, "default", "one").check
    with pytest.raises(NotLeader):
        await cluster.create(CONFIG)
