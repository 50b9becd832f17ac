"""Backing up a tenant's database and restoring it, as docs/operations.md describes it."""

import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx

from imghost_local import pginstall
from support.api import new_tenant, register
from support.postgres import Postgres


def _run(program: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([pginstall.programs() / program, *arguments], capture_output=True, text=True, check=False)


async def test_a_restored_database_has_its_accounts_and_keys(
    postgres: Postgres,
    open_api: Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]],
    tmp_path: Path,
) -> None:
    """A superuser's dump brings back deleted rows; the tenant's owner cannot make one: row-level security binds it."""
    tenant, dump = new_tenant(postgres), tmp_path / "demo.dump"
    tenant.migrate()
    async with open_api(database_url=tenant.url("api")) as client:
        person = await register(client)
    refused = _run("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={tenant.url('owner')}")
    assert "row-level security" in refused.stderr
    done = _run("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={tenant.admin_url}")
    assert (done.returncode, done.stderr) == (0, "")

    tenant.query("TRUNCATE users, workspaces CASCADE")
    options = ("--clean", "--if-exists", "--single-transaction", f"--dbname={tenant.admin_url}")
    done = _run("pg_restore", *options, dump)
    assert (done.returncode, done.stderr) == (0, "")
    async with open_api(database_url=tenant.url("api")) as client:
        assert (await client.get("/api/v1/account", headers=person.token)).status_code == 200
        assert (await client.get("/upload/quota", headers=person.key)).status_code == 200
