"""Credentials that are rotated in the Secrets that the operator has mounted, while it runs."""

import json
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from imghost_operator.platform import ObjectRef
from imghost_operator.provision.database import role_names
from support.eventually import eventually
from support.fleet import Fleet, ready
from support.kube import Kube
from support.kubelet_volume import KubeletVolume
from support.minio import Minio
from support.operators import environment
from support.postgres import Postgres
from support.reconcile_harness import ReconcileHarness

pytestmark = pytest.mark.timeout(180)
DATABASE_URL = "IMGHOST_DATABASES__DEFAULT__ADMIN_URL"
RELOADS = "imghost_operator_secret_reloads_total"


class Administrator:
    """The operator's role in PostgreSQL, whose password an administrator changes."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres, self.name, self.password = postgres, f"admin_{uuid4().hex[:8]}", uuid4().hex

    @property
    def url(self) -> str:
        return f"postgresql://{self.name}:{self.password}@{self._postgres.host}:{self._postgres.port}/postgres"

    async def make(self) -> None:
        await self._run("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}")

    async def rotate(self) -> None:
        self.password = uuid4().hex
        await self._run("ALTER ROLE {} PASSWORD {}")

    async def _run(self, command: str) -> None:
        async with await psycopg.AsyncConnection.connect(self._postgres.admin_url, autocommit=True) as connection:
            await connection.execute(sql.SQL(command).format(sql.Identifier(self.name), sql.Literal(self.password)))


@pytest.fixture
async def administrator(postgres: Postgres) -> Administrator:
    made = Administrator(postgres)
    await made.make()
    return made


@pytest.fixture
def volume(tmp_path: Path) -> KubeletVolume:
    return KubeletVolume(tmp_path / "mounted")


@pytest.fixture
def fleet(kube: Kube, postgres: Postgres, minio: Minio, tmp_path: Path, volume: KubeletVolume) -> Fleet:
    """Operators that read their credentials for PostgreSQL and registries from the volume."""
    settings = environment(kube, postgres, minio)
    del settings[DATABASE_URL]
    settings[f"{DATABASE_URL}_FILE"] = str(volume.folder / "databases/default/url")
    settings["IMGHOST_PULL_SECRET_FILES"] = json.dumps([str(volume.folder / "registries/one.json")])
    return Fleet(settings, tmp_path)


def files(url: str, registry: str = "one.example.com") -> dict[str, str]:
    """What is mounted."""
    config = json.dumps({"auths": {registry: {"auth": "YTpi"}}})
    return {"databases/default/url": url, "registries/one.json": config}


async def connection_limit(postgres: Postgres, tenant: str) -> int:
    """How many connections the tenant's api may have."""
    async with await psycopg.AsyncConnection.connect(postgres.admin_url) as connection:
        query = "SELECT rolconnlimit FROM pg_roles WHERE rolname = %s"
        row = await (await connection.execute(query, (role_names(tenant)["api"],))).fetchone()
    assert row
    return int(row[0])


async def test_rotated_credentials_are_used_without_a_restart(
    bench: ReconcileHarness, fleet: Fleet, volume: KubeletVolume, administrator: Administrator, postgres: Postgres
) -> None:
    """A new admin password and new pull credentials are used by the same process, and restart none of the tenant's
    pods; a file that became empty is refused, and what was there before stays in use.
    """
    volume.write(files(administrator.url))
    operator = await fleet.ready()
    bench.create()
    await ready(bench)
    deployments = [ObjectRef("Deployment", bench.namespace, name) for name in ("api", "imaging", "worker")]
    templates = [bench.get(ref)["spec"]["template"] for ref in deployments]
    bench.edit(database={"connectionLimit": 21})
    await eventually(partial(_has_limit, postgres, bench, 21), within=20, why="the first password is used")

    await administrator.rotate()
    volume.write(files(administrator.url, "two.example.com"))
    await eventually(lambda: operator.figure(RELOADS) == 2, within=20, why="both changes are noticed")
    bench.edit(database={"connectionLimit": 22})
    await eventually(partial(_has_limit, postgres, bench, 22), within=20, why="the second password is used")
    await eventually(lambda: "two.example.com" in str(bench.secret("registries")), within=20, why="pods pull with it")

    volume.write(files("", "two.example.com"))
    await eventually(lambda: operator.figure(RELOADS) == 3, within=20, why="the empty file is noticed")
    bench.edit(database={"connectionLimit": 23})
    await eventually(partial(_has_limit, postgres, bench, 23), within=20, why="the password before is still used")
    await ready(bench)
    assert [bench.get(ref)["spec"]["template"] for ref in deployments] == templates
    assert operator.is_ready()
    log = operator.log.read_text()
    assert log.count("changed Secret used") == 2
    assert log.count("changed Secret not used") == 1
    assert administrator.password not in log


async def test_a_standby_leads_with_what_is_mounted_then(
    bench: ReconcileHarness, fleet: Fleet, volume: KubeletVolume, administrator: Administrator
) -> None:
    """Credentials that changed while another operator led are used from the first pass on."""
    volume.write(files(administrator.url))
    first = await fleet.ready("one")
    second = fleet.start("two")
    await eventually(lambda: second.get("/livez")[0] == 200, within=20, why="the standby runs")
    await administrator.rotate()
    volume.write(files(administrator.url))
    first.stop()
    await eventually(second.is_ready, within=40, why="the standby leads")
    bench.create()
    await ready(bench)


async def _has_limit(postgres: Postgres, bench: ReconcileHarness, limit: int) -> bool:
    return await connection_limit(postgres, bench.name) == limit
