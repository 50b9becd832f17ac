"""The schema: migrations make what the tables say, and each role can do just what it needs."""

import subprocess
import sys

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import create_engine

from imghost_api.db.base import Base
from imghost_api.db.migrate import MigrationFailed
from imghost_api.db.schema import VERSION_TABLES, OutdatedSchema, Phase, alembic_config, is_current
from imghost_api.migrate import migrate
from imghost_api.startup import wait_for_schema
from support.api import TenantDatabase, api_settings, new_tenant
from support.postgres import Postgres


def test_migrations_make_the_tables(tenant: TenantDatabase) -> None:
    """A migrated database has exactly the tables, columns, indexes and constraints of the classes."""
    engine = create_engine(tenant.url("owner").replace("postgresql://", "postgresql+psycopg://"))
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": lambda _o, name, kind, *_: not (kind == "table" and name.startswith("procrastinate_")),
    }
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    engine.dispose()
    assert found == []


@pytest.mark.parametrize("phase", VERSION_TABLES)
def test_history_is_one_line(phase: Phase) -> None:
    """Each phase has at most one first and one last migration, and each has one successor."""
    scripts = ScriptDirectory.from_config(alembic_config(phase))
    assert len(scripts.get_bases()) == len(scripts.get_heads()) == (1 if phase == "pre" else 0)
    assert not any(script.is_branch_point or script.is_merge_point for script in scripts.walk_revisions())


def test_migrating_again_changes_nothing(tenant: TenantDatabase) -> None:
    """A second run on an up-to-date database succeeds and leaves the schema as it was."""
    catalogue = "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    before = tenant.query(catalogue)
    tenant.migrate()
    assert tenant.query(catalogue) == before


def test_two_concurrent_migrations(postgres: Postgres) -> None:
    """Two migrations started together on an empty database both succeed: one waits for the other."""
    fresh = new_tenant(postgres)
    environment = {
        "DATABASE_URL": fresh.url("owner"),
        "API_ROLE": fresh.role("api"),
        "IMAGING_ROLE": fresh.role("imaging"),
    }
    argv = [sys.executable, "-c", "from imghost_api.migrate import run; run('pre')"]
    both = [subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [(process.communicate(timeout=60)[1], process.returncode) for process in both]
    assert [code for _, code in ends] == [0, 0], ends
    assert is_current(fresh.query("SELECT version_num FROM alembic_version")[0][0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"DATABASE_URL": "postgresql://none:canary-password@127.0.0.1:9/none"}, "out of reach"),
        ({"API_ROLE": "no_such_role"}, "no_such_role"),
        ({"API_ROLE": ""}, "API_ROLE"),
    ],
)
def test_a_migration_that_fails_says_why_in_one_line(tenant: TenantDatabase, change: dict[str, str], says: str) -> None:
    """`imghost migrate` ends non-zero with one line that names the cause and shows no password."""
    environment = {
        "DATABASE_URL": tenant.url("owner"),
        "API_ROLE": tenant.role("api"),
        "IMAGING_ROLE": tenant.role("imaging"),
        **change,
    }
    argv = [sys.executable, "-c", "from imghost_api.migrate import run; run('pre')"]
    ended = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("imghost migrate:")]
    assert (ended.returncode, len(lines)) == (1, 1), ended.stderr
    assert says in lines[0]
    assert "canary" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_migration_gives_up_on_a_lock(tenant: TenantDatabase) -> None:
    """A migration that cannot get its turn ends with a clear error instead of waiting without a limit."""
    settings = tenant.migrate_settings().model_copy(update={"migrate_timeout_seconds": 1})
    with psycopg.connect(tenant.url("owner")) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [0x1196_4057])
        with pytest.raises(MigrationFailed, match="busy"):
            migrate(settings, "pre")


async def test_a_server_refuses_an_outdated_schema(postgres: Postgres, tmp_path: object) -> None:
    """A server does not start on a database that lacks its migrations."""
    fresh = new_tenant(postgres)
    settings = api_settings(fresh, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(OutdatedSchema, match="imghost migrate"):
        await wait_for_schema(settings)
    fresh.migrate()
    await wait_for_schema(settings)
    fresh.query("UPDATE alembic_version SET version_num = '9999'")
    await wait_for_schema(settings)  # a newer one is fine: migrations expand before they contract


IMAGING_MAY_NOT = [
    "SELECT * FROM users",
    "SELECT * FROM images",
    "SELECT * FROM api_keys",
    "SELECT * FROM workspaces",
    "SELECT * FROM view_events",
    "SELECT * FROM procrastinate_jobs",
    "DELETE FROM view_events",
    "INSERT INTO view_events (id, image_id, status) VALUES (1, gen_random_uuid(), 200)",
    "INSERT INTO images (id) VALUES (gen_random_uuid())",
    "CREATE TABLE mine (id int)",
    "SELECT procrastinate_unregister_worker_v1(1)",
]
API_MAY_NOT = [
    "CREATE TABLE mine (id int)",
    "ALTER TABLE images ADD COLUMN mine int",
    "DROP TABLE users",
    "ALTER TABLE images DISABLE ROW LEVEL SECURITY",
    "DROP POLICY workspace ON images",
    "UPDATE plans SET uploads_per_day = 1",
    "UPDATE alembic_version SET version_num = '0000'",
    "TRUNCATE images",
]


@pytest.mark.parametrize(
    ("role", "statement"), [("imaging", s) for s in IMAGING_MAY_NOT] + [("api", s) for s in API_MAY_NOT]
)
def test_roles_have_no_more_than_they_need(tenant: TenantDatabase, role: str, statement: str) -> None:
    """Imaging's role reads one view and inserts events; api's role changes rows but no structure."""
    with psycopg.connect(tenant.url(role)) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)  # type: ignore[call-overload]


def test_imaging_may_read_its_view_and_insert_events(tenant: TenantDatabase) -> None:
    """What imaging does need works under its role."""
    with psycopg.connect(tenant.url("imaging")) as connection:
        connection.execute("SELECT * FROM delivery_images")
        connection.execute(
            "INSERT INTO view_events (image_id, viewed_at, variant, bytes, status, referrer_host, user_agent)"
            " VALUES (gen_random_uuid(), now(), 'thumb', 10, 200, NULL, NULL)"
        )
        connection.rollback()


def test_plans_are_those_of_the_requirements(tenant: TenantDatabase) -> None:
    """The catalogue holds the limits of free, pro and enterprise, and the prices of basic and pro."""
    rows = tenant.query(
        "SELECT code, price_cents, uploads_per_day, requests_per_hour, storage_bytes, bandwidth_bytes_per_month"
        " FROM plans WHERE code NOT LIKE 'plan-%%' ORDER BY position"  # other tests make plans of their own
    )
    plans = {code: figures for code, *figures in rows}
    gb = 10**9
    assert list(plans) == ["free", "basic", "pro", "enterprise"]
    assert plans["free"] == [0, 100, 1_000, gb, 10 * gb]
    assert plans["pro"] == [1999, 1_000, 5_000, 50 * gb, 500 * gb]
    assert plans["enterprise"] == [None, 10_000, 20_000, 500 * gb, 5_000 * gb]
    assert plans["basic"][0] == 999
