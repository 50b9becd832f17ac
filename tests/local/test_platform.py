"""Objects of the local platform: their end, and whose they are."""

import psutil
import pytest

from imghost_local.addresses import open_listener
from imghost_operator.errors import NotOwned, StaleObject
from imghost_operator.platform import ObjectRef
from support.eventually import eventually
from support.local_platform import CONFIG, NAMESPACE, LocalPlatformHarness, meta


async def test_closing_ends_every_process(local: LocalPlatformHarness) -> None:
    """Closing ends every process, gives back the addresses and closes the ports."""
    await local.serve(replicas=2)
    await eventually(lambda: local.is_ready(2), 10)
    pids = [pod.pid for pod in local.pods]
    port = int(local.url.rsplit(":", 1)[1])
    await local.platform.close()
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)
    free = open_listener(port)
    assert free is not None
    free.close()


async def test_deleting_waits_for_the_processes(local: LocalPlatformHarness) -> None:
    """A deleted object stays, marked, until its processes have ended; a namespace takes all in it along."""
    namespace = {"kind": "Namespace", "metadata": {**meta(NAMESPACE), "namespace": ""}}
    await local.apply(namespace)
    await local.serve()
    await eventually(lambda: local.is_ready(1), 10)
    pid = local.pods[0].pid
    assert pid
    live = local.platform.children("demo")
    await local.platform.delete(live[ObjectRef("Namespace", "", NAMESPACE)])
    still = local.platform.children("demo")[ObjectRef("Deployment", NAMESPACE, "web")]
    assert "deletionTimestamp" in still["metadata"]
    await eventually(lambda: not local.platform.children("demo"), 10)
    assert not psutil.pid_exists(pid)


async def test_objects_of_other_owners_are_left_alone(local: LocalPlatformHarness) -> None:
    """An object with another owner is not taken over, another's uid not deleted, and finalizers are as known."""
    owned = {**CONFIG, "metadata": meta("web", ownerReferences=[{"uid": "one"}])}
    await local.apply(owned)
    with pytest.raises(NotOwned):
        await local.apply({**CONFIG, "metadata": meta("web", ownerReferences=[{"uid": "two"}])})
    live = local.platform.children("demo")[ObjectRef("ConfigMap", NAMESPACE, "web")]
    await local.platform.delete({**live, "metadata": {**live["metadata"], "uid": "older"}})
    assert ObjectRef("ConfigMap", NAMESPACE, "web") in local.platform.children("demo")
    local.platform.submit({"kind": "ImageHostTenant", "metadata": {"name": "demo"}, "spec": {}})
    tenant = local.platform.tenants()["demo"]
    await local.platform.set_finalizers(tenant, ["one"])
    with pytest.raises(StaleObject):
        await local.platform.set_finalizers(tenant, ["two"])
