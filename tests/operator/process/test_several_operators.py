"""Several operators on one API server: of one class, of two, and with listed namespaces."""

import json

import pytest

from imghost_operator.platform import Object, ObjectRef
from support.eventually import eventually
from support.fleet import Fleet, ready
from support.operators import OperatorProcess, condition
from support.reconcile_harness import ReconcileHarness, path

pytestmark = pytest.mark.timeout(180)
LEASE = ObjectRef("Lease", "default", "imghost-operator")


async def test_one_operator_leads_and_the_next_takes_over(bench: ReconcileHarness, fleet: Fleet) -> None:
    """A second operator waits without writing, is healthy while it waits, and goes on when the first one ends."""
    first = await fleet.ready("one")
    second = fleet.start("two")
    await eventually(lambda: second.get("/readyz")[0] == 200, within=20, why="the second waits, healthy")
    assert not second.leads()
    bench.create()
    await ready(bench)
    assert not second.calls()
    assert condition(bench.tenant(), "SoleInstallation")["status"] == "True"
    first.stop()
    assert bench.get(LEASE)["spec"]["holderIdentity"] in {"", "two"}
    await eventually(second.is_ready, within=10, why="the second leads")
    bench.edit(api={"replicas": 3})
    deployment = ObjectRef("Deployment", bench.namespace, "api")
    await eventually(lambda: bench.get(deployment)["spec"]["replicas"] == 3, within=10, why="it does the work")


async def test_a_second_installation_stands_by_and_is_reported(bench: ReconcileHarness, fleet: Fleet) -> None:
    """An operator of another release writes no tenant; the one that leads says so in each tenant's conditions."""
    first = await fleet.ready("one")
    bench.create()
    await ready(bench)
    second = fleet.start("two", IMGHOST_INSTALLATION="elsewhere/imghost-operator")

    def is_reported() -> bool:
        found = condition(bench.tenant(), "SoleInstallation")
        return found["reason"] == "SecondInstallation" and "elsewhere/imghost-operator" in found["message"]

    await eventually(is_reported, within=30, why="the tenant's conditions name it")
    assert condition(bench.tenant(), "Ready")["status"] == "True"
    assert not second.calls()
    assert second.log.read_text().count("standing by: another operator of this class leads") == 1
    assert first.figure("imghost_operator_standing_by") == 1


async def test_each_class_has_an_operator_of_its_own(bench: ReconcileHarness, fleet: Fleet) -> None:
    """Two classes lead concurrently; a tenant is touched by the operator of its class only, and can be handed over."""
    blue = fleet.start("blue", IMGHOST_OPERATOR_CLASS="blue")
    first = await fleet.ready("one")
    await eventually(blue.is_ready, within=40, why="the operator of the other class leads too")
    bench.create(operatorClass="blue")
    await ready(bench)
    assert bench.name not in first.log.read_text()
    bench.edit(operatorClass="default", api={"replicas": 3})
    deployment = ObjectRef("Deployment", bench.namespace, "api")
    await eventually(lambda: bench.get(deployment)["spec"]["replicas"] == 3, within=20, why="the other takes over")
    await eventually(lambda: holds_nothing(blue), within=20, why="the first forgets the tenant and ends its last pass")
    before = blue.calls()
    bench.edit(api={"replicas": 2})
    await eventually(lambda: bench.get(deployment)["spec"]["replicas"] == 2, within=20, why="it manages the tenant")
    writes = {
        call: count - before.get(call, 0) for call, count in blue.calls().items() if "ImageHostTenant" in str(call)
    }
    assert not [call for call, count in writes.items() if count and "patch" in str(call)]
    assert kube_lease(bench, "imghost-operator-blue")["spec"]["holderIdentity"] == "blue"


def holds_nothing(operator: OperatorProcess) -> bool:
    figures = (operator.figure(f"imghost_operator_{name}") for name in ("tenants", "queue_depth", "passes_running"))
    return not any(figures)


def kube_lease(bench: ReconcileHarness, name: str) -> Object:
    return bench.get(ObjectRef("Lease", "default", name))


async def test_operators_of_listed_namespaces_leave_other_tenants_alone(bench: ReconcileHarness, fleet: Fleet) -> None:
    """A tenant of another namespace keeps the status that its operator wrote, and its finalizer."""
    bench.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}})
    mine = fleet.start("mine", IMGHOST_NAMESPACES=json.dumps([bench.namespace]), IMGHOST_LEASE_NAMESPACE="kube-public")
    other = fleet.start("other", IMGHOST_NAMESPACES=json.dumps(["imghost-elsewhere"]))
    for operator in (mine, other):
        await eventually(operator.is_ready, within=40, why="both lead")
    bench.create()
    await ready(bench)
    bench.edit(api={"replicas": 3})
    await eventually(
        lambda: bench.tenant()["status"]["observedGeneration"] == bench.tenant()["metadata"]["generation"],
        within=20,
        why="its own operator saw the edit",
    )
    for _ in range(20):
        assert condition(bench.tenant(), "Ready")["reason"] != "NamespaceNotListed"
    bench.end()
    await eventually(
        lambda: bench.api.request("GET", path(ObjectRef("ImageHostTenant", "", bench.name))).status == 404,
        within=30,
        why="its own operator deletes it",
    )
    assert bench.name not in other.log.read_text()


async def test_an_operator_that_lost_its_lease_ends(bench: ReconcileHarness, fleet: Fleet) -> None:
    """When another process holds the lease, this one ends with one line and a failure, so that it is restarted."""
    operator = await fleet.ready()
    bench.patch(LEASE, {"spec": {"holderIdentity": "another"}})
    await eventually(lambda: operator.process.exit_code is not None, within=20, why="the process ended")
    assert operator.process.exit_code == 1
    assert operator.log.read_text().splitlines()[-1].startswith("imghost operator: This operator does not hold")
