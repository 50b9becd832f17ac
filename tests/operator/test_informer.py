"""The cache against a real API server: what it knows, whom it wakes, and what it does not miss."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from imghost_operator import kubeconfig
from imghost_operator.informer import Informer
from imghost_operator.kubernetes_client import KubernetesClient
from imghost_operator.metrics import Metrics
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.tenant_objects import MANAGED, TENANT_LABEL
from support.eventually import eventually
from support.kube import Kube


class Watched:
    """A cache of ConfigMaps, and the tenants it woke."""

    def __init__(self, kube: Kube) -> None:
        self.metrics, self.kube = Metrics(), kube
        self.cluster = KubernetesClient(kubeconfig.load(kube.kubeconfig), self.metrics)
        self.woken: list[str] = []
        self.cache = Informer(self.cluster, self.woken.append, self.metrics, kinds=["ConfigMap"])
        self.tenant = f"w{secrets.token_hex(4)}"

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.cache.run())
        try:
            await asyncio.wait_for(self.cache.synced.wait(), 20)
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def config(self, name: str, tenant: str = "", **data: str) -> Object:
        labels = {**MANAGED, TENANT_LABEL: tenant or self.tenant}
        metadata = {"name": f"{self.tenant}-{name}", "namespace": "default", "labels": labels}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def key(self, name: str) -> ObjectRef:
        return ObjectRef("ConfigMap", "default", f"{self.tenant}-{name}")

    def names(self) -> set[str]:
        return {key.name.rpartition("-")[2] for key in self.cache.children(self.tenant)}


@pytest.fixture
async def watched(kube: Kube) -> AsyncIterator[Watched]:
    made = Watched(kube)
    async with made.cluster:
        yield made
    kube.kubectl("delete", "configmap", "-n", "default", "-l", f"{TENANT_LABEL}={made.tenant}")


async def test_changes_by_others_are_cached_and_reconciled(watched: Watched) -> None:
    """Objects that appear, change and go are known, without their managedFields, and wake their tenant."""
    await watched.cluster.create(watched.config("old"))
    async with watched.following():
        assert watched.names() == {"old"}
        watched.woken.clear()  # the first list wakes the tenants of every test
        made = await watched.cluster.create(watched.config("new"))
        await eventually(lambda: watched.names() == {"old", "new"})
        await watched.cluster.apply(watched.config("new", word="x"), force=True)
        await eventually(
            lambda: watched.cache.children(watched.tenant)[watched.key("new")].get("data") == {"word": "x"}
        )
        await watched.cluster.delete(made)
        await eventually(lambda: watched.names() == {"old"})
        assert set(watched.woken) == {watched.tenant}
        assert "managedFields" not in watched.cache.children(watched.tenant)[watched.key("old")]["metadata"]


async def test_a_response_that_comes_after_the_deletion_brings_nothing_back(watched: Watched) -> None:
    """An object that was created by us and deleted by another before our response was handled is not known again; one
    that is created later is.
    """
    created = {**watched.config("mine"), "metadata": {**watched.config("mine")["metadata"], "resourceVersion": "100"}}
    deleted = {**created, "metadata": {**created["metadata"], "resourceVersion": "105"}}
    again = {**created, "metadata": {**created["metadata"], "resourceVersion": "110"}}
    watched.cache.put(dict(created))
    watched.cache.drop(deleted)
    watched.woken.clear()
    watched.cache.put_local(dict(created))
    assert watched.names() == set()
    watched.cache.put_local(again)
    assert watched.names() == {"mine"}


async def test_own_writes_wake_no_tenant(watched: Watched) -> None:
    """An object that this process wrote is known immediately, and the watch's echo of it is no news."""
    async with watched.following():
        stored = await watched.cluster.apply(watched.config("mine", word="x"), force=True)
        watched.cache.put_local(stored)
        assert watched.names() == {"mine"}
        before = watched.woken.count(watched.tenant)
        other = await watched.cluster.create(watched.config("theirs"))  # its event comes after the echo of ours
        await eventually(lambda: watched.key("theirs") in watched.cache.children(watched.tenant))
        assert watched.woken.count(watched.tenant) <= before + 1
        assert other["metadata"]["name"] == watched.key("theirs").name


async def test_deletions_without_a_watch_are_noticed(watched: Watched) -> None:
    """What went while the watch was down is missing from the next list, and that is noticed."""
    kept = await watched.cluster.create(watched.config("kept"))
    lost = await watched.cluster.create(watched.config("lost"))
    async with watched.following():
        assert watched.names() == {"kept", "lost"}
    await watched.cluster.delete(lost)
    watched.woken.clear()
    async with watched.following():
        await eventually(lambda: watched.names() == {"kept"})
    assert watched.woken == [watched.tenant]
    assert kept["metadata"]["name"] == watched.key("kept").name


async def test_an_informer_recovers_from_a_restart_of_the_api_server(watched: Watched) -> None:
    """After the API server was away, deletions and additions during and after are known again."""
    doomed = await watched.cluster.create(watched.config("doomed"))
    async with watched.following():
        assert watched.names() == {"doomed"}
        watched.kube.restart_apiserver()  # what it starts lives as long as the thread that asked
        await watched.cluster.delete(doomed)
        await watched.cluster.create(watched.config("new"))
        await eventually(lambda: watched.names() == {"new"}, within=40, why="the cache is current again")
        assert watched.cache.ages()["ConfigMap"] < 40


async def test_a_changed_tenant_label_moves_an_object(watched: Watched) -> None:
    """An object that is labelled as another tenant's wakes both: one lacks it, the other has too many."""
    other = f"{watched.tenant}x"
    await watched.cluster.create(watched.config("moved"))
    async with watched.following():
        watched.woken.clear()
        await watched.cluster.apply(watched.config("moved", tenant=other), force=True)
        await eventually(lambda: watched.key("moved") in watched.cache.children(other))
        assert watched.names() == set()
        assert {watched.tenant, other} <= set(watched.woken)
        await watched.cluster.delete(watched.cache.children(other)[watched.key("moved")])
