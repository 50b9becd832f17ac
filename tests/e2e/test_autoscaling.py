"""The load decides how many pods there are."""

from pathlib import Path

from support.e2e.figures import Figures
from support.e2e.ledger import Ledger
from support.e2e.load import Load
from support.e2e.objects import Objects
from support.e2e.tenants import ClusterTenant, Tenants
from support.eventually import eventually

MEASURED_WITHIN = 120
SCALED_WITHIN = 150


async def test_load_adds_pods(tenants: Tenants, objects: Objects, figures: Figures, tmp_path: Path) -> None:
    """The autoscaler gets figures of real pods from metrics-server, the tenant says so, and under load imaging gets the
    pods that it may have.
    """
    tenant = await tenants.ready(
        imaging={"autoscaling": {"minReplicas": 1, "maxReplicas": 2, "targetCPUPercent": 20}},
    )
    with figures.measure("autoscaler measures a new tenant"):
        await eventually(
            lambda: _is_measured(objects, tenant), within=MEASURED_WITHIN, why="the autoscaler gets figures"
        )
    await tenant.until("Autoscaled", within=MEASURED_WITHIN)
    load = Load(tenant.client, Ledger(tmp_path / "ledger"))
    async with load.running(uploaders=2, viewers=2, pause=0):
        with figures.measure("second pod by autoscaling under load"):
            await eventually(
                lambda: bool(len(tenant.pods("imaging")) == 2), within=SCALED_WITHIN, why="a second pod of imaging"
            )
    await tenant.wait_until_settled()


def _is_measured(objects: Objects, tenant: ClusterTenant) -> bool:
    status = objects.get("HorizontalPodAutoscaler", "imaging", tenant.namespace).get("status", {})
    measured = [metric["resource"] for metric in status.get("currentMetrics") or () if "resource" in metric]
    assert measured, status
    assert measured[0]["current"].get("averageUtilization") is not None, status
    return True
