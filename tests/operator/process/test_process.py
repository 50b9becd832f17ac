"""The operator as the process that a pod runs, on a real API server, PostgreSQL and MinIO."""

import asyncio
import json
import signal
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import pytest

from imghost_operator import main, tenant_objects
from imghost_operator.platform import ObjectRef
from imghost_operator.provision.database import database_name
from imghost_operator.tenant_contract import STORAGE_SECRETS
from support.eventually import eventually
from support.fleet import Fleet, ready
from support.kube import Kube
from support.minio import Minio
from support.operators import OperatorProcess, condition, environment, install_crds
from support.postgres import Postgres
from support.reconcile_harness import MERGE, TENANTS, ReconcileHarness, path

pytestmark = pytest.mark.timeout(180)
SECRETS = (
    "database-owner",
    "database-api",
    "database-imaging",
    "storage",
    "storage-imaging",
    "api-signing",
    "internal",
)


async def one_more_pass(bench: ReconcileHarness, operator: OperatorProcess) -> None:
    """Make the operator look at the tenant once more, without anything to do."""
    before = operator.passes()
    note = {"metadata": {"annotations": {"example.com/note": str(before)}}}
    assert bench.api.request("PATCH", f"{TENANTS}/{bench.name}", note, MERGE).status == 200
    await eventually(lambda: operator.passes() > before, why="another pass is over")


async def wait_until_settled(bench: ReconcileHarness, operator: OperatorProcess) -> None:
    """Passes until one of them made no call."""

    async def quiet() -> bool:
        before = operator.calls()
        await one_more_pass(bench, operator)
        return operator.calls() == before

    await eventually(quiet, within=20, why="a pass made no call")


async def test_a_ready_tenant_causes_no_more_api_calls(bench: ReconcileHarness, fleet: Fleet) -> None:
    """A tenant becomes ready; from then on, and after a restart of the operator, looking at it makes no API call."""
    first = await fleet.ready()
    bench.create()
    await ready(bench)
    await wait_until_settled(bench, first)
    assert first.get("/livez")[0] == 200
    first.stop()
    second = await fleet.ready()
    await eventually(lambda: second.passes() >= 1, why="the tenant was looked at")
    calls = second.calls()
    assert set(calls) == {f"list {kind}" for kind in (*tenant_objects.KINDS, "ImageHostTenant")}, calls
    await one_more_pass(bench, second)
    assert second.calls() == calls
    values = {value for name in SECRETS for value in bench.secret(name).values() if len(value) >= 30}
    values |= {urlsplit(value).password or value for value in values}
    assert len(values) >= 8
    logged = first.log.read_text()
    assert "applied" in logged
    assert not [value for value in values | {bench.minio.secret_key} if value in logged]


async def test_drift_and_edits_are_noticed_by_themselves(bench: ReconcileHarness, fleet: Fleet) -> None:
    """A deleted Service comes back and an edited spec is rolled out, because of a watch, not because time passes."""
    operator = await fleet.ready()
    others = operator.figure("imghost_operator_tenants")
    bench.create()
    await ready(bench)
    await wait_until_settled(bench, operator)
    service = ObjectRef("Service", bench.namespace, "imaging")
    bench.delete(service)
    await eventually(lambda: bench.exists(service), within=5, why="the Service is back")
    bench.edit(imaging={"replicas": 4})
    imaging = ObjectRef("Deployment", bench.namespace, "imaging")
    await eventually(lambda: bench.get(imaging)["spec"]["replicas"] == 4, within=5, why="the edit is rolled out")
    bench.end()
    await eventually(
        lambda: bench.api.request("GET", f"{TENANTS}/{bench.name}").status == 404, within=30, why="it is deleted"
    )
    await eventually(lambda: operator.figure("imghost_operator_tenants") == others, why="the operator forgot it")


async def test_a_kill_in_any_wave_is_completed_without_duplicates(
    bench: ReconcileHarness, fleet: Fleet, minio: Minio
) -> None:
    """Killed as each wave begins, the operator goes on where it was: one database, one key, one of each object."""
    bench.create()
    for step in (_database_exists, *(_kind_exists(kind) for kind in ("NetworkPolicy", "Secret", "Job"))):
        operator = fleet.start()
        await eventually(lambda step=step: step(bench), within=40, every=0.005, why="the wave has begun")
        operator.stop(signal.SIGKILL)
    bench.workloads.play()
    operator = fleet.start()
    await eventually(lambda: _kind_exists("Deployment")(bench), within=40, every=0.005, why="the rollout has begun")
    operator.stop(signal.SIGKILL)
    operator = await fleet.ready()
    await ready(bench)
    await wait_until_settled(bench, operator)
    status = bench.tenant()["status"]
    assert status["objects"]["applied"] == status["objects"]["desired"]
    async with await psycopg.AsyncConnection.connect(bench.postgres.admin_url) as connection:
        query = "SELECT count(*) FROM pg_roles WHERE rolname LIKE %s"
        row = await (await connection.execute(query, (f"{database_name(bench.name)}%",))).fetchone()
    assert row == (3,)
    users = json.loads(minio.admin().user_list())
    found = {bench.secret(name)["S3_ACCESS_KEY_ID"] for name in STORAGE_SECRETS.values()}
    assert {name for name in users if bench.name in name} == found
    assert status["storage"]["keyId"] in found
    url = bench.secret("database-owner")["DATABASE_URL"]
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("SELECT 1")


def _database_exists(bench: ReconcileHarness) -> bool:
    with psycopg.connect(bench.postgres.admin_url) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        return connection.execute(query, (database_name(bench.name),)).fetchone() is not None


def _kind_exists(kind: str) -> Callable[[ReconcileHarness], bool]:
    def check(bench: ReconcileHarness) -> bool:
        return bool(bench.api.request("GET", path(ObjectRef(kind, bench.namespace, ""))).body.get("items"))

    return check


async def test_a_crd_that_is_installed_again_is_followed_again(
    bench: ReconcileHarness, fleet: Fleet, kube: Kube
) -> None:
    """Without the CRD the operator waits and is not ready; with it, it works on tenants again, in the same process."""
    operator = await fleet.ready()
    crd_path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/imagehosttenants.imghost.dev"
    bench.api.request("DELETE", crd_path)
    try:
        await eventually(
            lambda: "install the CRD" in operator.get("/readyz")[1], within=30, why="it says what is missing"
        )
        assert operator.get("/readyz")[0] == 503
        await eventually(lambda: bench.api.request("GET", crd_path).status == 404, within=20, why="the CRD is deleted")
    finally:
        await asyncio.to_thread(install_crds, kube)
    bench.create()
    await ready(bench)
    assert operator.process.exit_code is None
    assert "Traceback" not in operator.log.read_text()


def test_a_database_outage_is_seen_and_heals(bench: ReconcileHarness, fleet: Fleet, postgres: Postgres) -> None:
    """Within seconds of an outage a condition shows it; when the server is back the tenant heals by itself."""

    async def make() -> None:
        await fleet.ready()
        bench.create()
        await ready(bench)

    async def outage() -> None:
        await eventually(
            lambda: condition(bench.tenant(), "DatabaseReady").get("reason") == "BackendDown",
            within=20,
            why="the outage is reported",
        )

    asyncio.run(make())
    postgres.stop()
    try:
        asyncio.run(outage())
    finally:
        postgres.start()
    asyncio.run(ready(bench))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"IMGHOST_DATABASES__DEFAULT__ADMIN_URL": ""}, "IMGHOST_DATABASES"),
        ({"IMGHOST_STORES": '{"default": {"kind": "s3", "endpoint": "ftp://x", "bucket": "abc"}}'}, "IMGHOST_STORES"),
        ({"IMGHOST_WORKERS": "0"}, "IMGHOST_WORKERS"),
        ({"IMGHOST_KUBECONFIG": "/nowhere"}, "/nowhere is not a usable kubeconfig"),
    ],
)
def test_bad_settings_end_the_start_with_one_line(
    kube: Kube,
    postgres: Postgres,
    minio: Minio,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    complaint: str,
) -> None:
    """A setting that cannot work is named, in one line without its value, before anything is touched."""
    for name, value in (environment(kube, postgres, minio) | changes).items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as ended:
        main.run()
    line = str(ended.value)
    assert line.startswith("imghost operator: ")
    assert complaint in line
    assert "\n" not in line
    assert minio.secret_key not in line
