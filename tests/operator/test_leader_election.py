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


def elector(
    cluster: KubernetesClient, identity: str, installation: str, clock: Clock
) -> tuple[LeaderElector, list[int]]:
    """A process of an installation, and a list that grows whenever it notices a change of the others."""
    noticed: list[int] = []
    made = LeaderElector(
        cluster,
        "default",
        identity,
        installation=installation,
        others_changed=lambda: noticed.append(len(noticed)),
        clock=clock,
    )
    return made, noticed


async def renew(first: LeaderElector) -> tuple[str, ...]:
    """Two renewals, as the first may meet what another process wrote; who stands by then."""
    await first.try_renew()
    assert await first.try_renew()
    return first.standing_by


async def test_a_second_installation_is_noticed_by_the_leader(cluster: KubernetesClient) -> None:
    """The leader learns once of another installation's process, and three minutes after its last sign that it went."""
    mine, theirs = Clock(), Clock()
    (first, noticed), (other, _) = elector(cluster, "one", "a/x", mine), elector(cluster, "two", "b/y", theirs)
    await first.acquire()
    assert await renew(first) == ()
    assert not await other.try_acquire()
    assert (await renew(first), noticed) == (("b/y",), [0])
    for _ in range(3):  # a sign of life each minute
        mine.now, theirs.now = mine.now + 100, theirs.now + 100
        assert await first.try_renew()
        assert not await other.try_acquire()
        assert (await renew(first), noticed) == (("b/y",), [0])
    mine.now += 181
    assert (await renew(first), noticed) == ((), [0, 1])
    lease = await cluster.get("Lease", "default", LEASE)
    assert lease["metadata"]["annotations"] == {"imghost.dev/installation": "a/x"}


async def test_a_new_leader_knows_who_stands_by(cluster: KubernetesClient) -> None:
    """When a replica takes over, the other installation is still known: conditions do not change for a minute."""
    (first, _), (other, _) = elector(cluster, "one", "a/x", Clock()), elector(cluster, "two", "b/y", Clock())
    await first.acquire()
    assert not await other.try_acquire()
    assert await renew(first) == ("b/y",)
    await first.release()
    replica, noticed = elector(cluster, "three", "a/x", Clock())
    await replica.acquire()
    assert replica.standing_by == ("b/y",)
    assert (await renew(replica), noticed) == (("b/y",), [])


async def test_replicas_and_earlier_releases_are_no_second_installation(cluster: KubernetesClient) -> None:
    """A standby writes nothing when the leader is of its own installation, or of a release that does not say which."""
    (first, _), (replica, _) = elector(cluster, "one", "a/x", Clock()), elector(cluster, "two", "a/x", Clock())
    await first.acquire()
    before = await cluster.get("Lease", "default", LEASE)
    assert not await replica.try_acquire()
    assert await cluster.get("Lease", "default", LEASE) == before
    await first.release()
    (earlier, _), (newer, _) = elector(cluster, "three", "", Clock()), elector(cluster, "four", "a/x", Clock())
    await earlier.acquire()
    before = await cluster.get("Lease", "default", LEASE)
    assert not await newer.try_acquire()
    assert await cluster.get("Lease", "default", LEASE) == before


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '"text"', "null", '{"b/y": null}'])
async def test_an_annotation_that_others_wrote_ends_nothing(cluster: KubernetesClient, text: str) -> None:
    """What cannot be read is left out; the lease is renewed all the same."""
    first, _ = elector(cluster, "one", "a/x", Clock())
    await first.acquire()
    lease = await cluster.get("Lease", "default", LEASE)
    lease["metadata"]["annotations"] |= {"imghost.dev/standing-by": text, "example.com/note": "kept"}
    await cluster.replace(lease)
    assert set(await renew(first)) <= {"b/y"}
    lease = await cluster.get("Lease", "default", LEASE)
    assert lease["metadata"]["annotations"]["example.com/note"] == "kept"
