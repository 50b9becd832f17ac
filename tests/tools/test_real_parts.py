"""The real parts that all other tests stand on."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from minio import Minio as Client

from support.eventually import eventually
from support.kube import Kube
from support.minio import Minio
from support.postgres import Postgres


def _config_map(name: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"kept": "yes"}})


def test_kube_keeps_its_data_over_a_restart(kube: Kube) -> None:
    """An API server that was restarted has the same address and the same objects."""
    kube.kubectl("apply", "-f", "-", input=_config_map("restart"))
    kube.restart_apiserver()
    assert kube.kubectl("get", "configmap", "restart", "-o", "jsonpath={.data.kept}") == "yes"


def test_kube_refuses_a_user_without_rights(kube: Kube) -> None:
    """RBAC is on: a known user without a role may read nothing."""
    stranger = kube.login("stranger")
    with pytest.raises(AssertionError, match='User "stranger" cannot list resource "secrets"'):
        kube.kubectl("get", "secrets", f"--kubeconfig={stranger}")


async def test_controllers_finish_the_deletion_of_a_namespace(kube_controllers: Kube) -> None:
    """With real controllers a deleted namespace goes, and its content with it."""
    kube_controllers.kubectl("create", "namespace", "short-lived")
    kube_controllers.kubectl("apply", "--namespace=short-lived", "-f", "-", input=_config_map("inside"))
    kube_controllers.kubectl("delete", "namespace", "short-lived", "--wait=false")

    def is_deleted() -> bool:
        return kube_controllers.kubectl("get", "namespace", "short-lived", "--ignore-not-found") == ""

    await eventually(is_deleted, within=60, why="the namespace is not deleted")


async def test_postgres_asks_for_the_password(postgres: Postgres) -> None:
    """Tests that pass without a password prove nothing, so the server has none that trusts."""
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(postgres.admin_url, password="wrong")


async def test_postgres_makes_separate_databases(postgres: Postgres) -> None:
    """Each test can have a database of its own, on PostgreSQL 18."""
    names = await asyncio.gather(postgres.create_database(), postgres.create_database())
    assert len(set(names)) == 2
    async with await psycopg.AsyncConnection.connect(postgres.url(names[0])) as connection:
        row = await (await connection.execute("SELECT current_database()")).fetchone()
    assert row == (names[0],)
    assert postgres.version.startswith("18.")


def test_minio_keeps_its_data_over_a_crash(minio: Minio) -> None:
    """A killed MinIO comes back at the same address with what it had acknowledged."""
    client = Client(
        minio.endpoint.removeprefix("http://"), access_key=minio.access_key, secret_key=minio.secret_key, secure=False
    )
    client.make_bucket("crash")
    minio.stop(signal.SIGKILL)
    minio.start()
    assert client.bucket_exists("crash")


TWO_PROGRAMS = """
from pathlib import Path
from support.processes import Process
programs = [Process(["sleep", "1000"], Path("sleep.log")) for _ in range(2)]
print(*(program.pid for program in programs), flush=True)
input()
"""


async def test_programs_end_with_a_killed_test_run(tmp_path: Path) -> None:
    """Even when the test run is killed, which lets no fixture end, nothing is left running."""
    run = subprocess.Popen(
        [sys.executable, "-c", TWO_PROGRAMS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with run:
        assert run.stdout is not None
        pids = [int(pid) for pid in run.stdout.readline().split()]
        assert [_is_running(pid) for pid in pids] == [True, True]
        run.kill()
    await eventually(lambda: not any(_is_running(pid) for pid in pids), why="programs were left running")


def _is_running(pid: int) -> bool:
    """Neither ended nor a zombie that its new parent has not collected yet."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
