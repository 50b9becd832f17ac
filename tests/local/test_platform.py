"""Objects of the local platform: their end, and whose they are."""

import psutil
import pytest

from imghost_local.addresses import listening
from imghost_operator.errors import Changed, NotOurs
from imghost_operator.platform import Key
from support.eventually import eventually
from support.local_platform import CONFIG, NAMESPACE, LocalPlatformHarness, meta


async def test_nothing_outlives_a_close(world: LocalPlatformHarness) -> None:
    """Closing ends every process, gives back the addresses and closes the ports."""
    await world.serve(replicas=2)
    await eventually(lambda: world.is_ready(2), 10)
    pids = [pod.pid for pod in world.pods]
    port = int(world.url.rsplit(":", 1)[1])
    await world.platform.close()
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)
    free = listening(port)
    assert free is not None
    free.close()


async def test_deleting_waits_for_the_processes(world: LocalPlatformHarness) -> None:
    """A deleted object stays, marked, until its processes have ended; a namespace takes all in it along."""
    namespace = {"kind": "Namespace", "metadata": {**meta(NAMESPACE), "namespace": ""}}
    await world.apply(namespace)
    await world.serve()
    await eventually(lambda: world.is_ready(1), 10)
    pid = world.pods[0].pid
    assert pid
    live = world.platform.children("demo")
    await world.platform.delete(live[Key("Namespace", "", NAMESPACE)])
    still = world.platform.children("demo")[Key("Deployment", NAMESPACE, "web")]
    assert "deletionTimestamp" in still["metadata"]
    await eventually(lambda: not world.platform.children("demo"), 10)
    assert not psutil.pid_exists(pid)


async def test_strangers_objects_are_left_alone(world: LocalPlatformHarness) -> None:
    """An object with another owner is not taken over, another's uid not deleted, and finalizers are as known."""
    owned = {**CONFIG, "metadata": meta("web", ownerReferences=[{"uid": "one"}])}
    await world.apply(owned)
    with pytest.raises(NotOurs):
        await world.apply({**CONFIG, "metadata": meta("web", ownerReferences=[{"uid": "two"}])})
    live = world.platform.children("demo")[Key("ConfigMap", NAMESPACE, "web")]
    await world.platform.delete({**live, "metadata": {**live["metadata"], "uid": "older"}})
    assert Key("ConfigMap", NAMESPACE, "web") in world.platform.children("demo")
    world.platform.submit({"kind": "ImageHostTenant", "metadata": {"name": "demo"}, "spec": {}})
    tenant = world.platform.tenants()["demo"]
    await world.platform.set_finalizers(tenant, ["one"])
    with pytest.raises(Changed):
        await world.platform.set_finalizers(tenant, ["two"])
