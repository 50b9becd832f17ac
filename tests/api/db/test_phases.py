"""Expand, roll out, contract: the two phases of migrations, on histories made for these tests."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from imghost_api.db.migrate import MigrationFailed, apply
from imghost_api.db.schema import MIGRATIONS, Phase
from imghost_api.migrate import migrate
from imghost_api.settings import MigrateSettings
from imghost_api.tables import RELATIONS
from support.api import TenantDatabase, new_tenant
from support.postgres import Postgres

# Release 1 makes a column, release 2 its successor, and drops the first; release 3 needs that drop.
PRE = {
    "0001": "ALTER TABLE plans ADD COLUMN old text",
    "0002": "ALTER TABLE plans ADD COLUMN new text",
    "0003": "ALTER TABLE plans ADD COLUMN old bigint",
}
POST = {"0001": "ALTER TABLE plans DROP COLUMN old"}
REQUIRES = {"0003": "0001"}


@pytest.fixture
def fresh(postgres: Postgres) -> TenantDatabase:
    """A database with the objects that grants name, and no history."""
    made = new_tenant(postgres)
    made.migrate()
    made.query("DROP TABLE alembic_version")
    return made


def release(folder: Path, pre: int, post: int) -> Path:
    """The migrations of a release: the first `pre` and the first `post` of each phase."""
    for phase, scripts, count in (("pre", PRE, pre), ("post", POST, post)):
        (folder / phase).mkdir(parents=True)
        (folder / "env.py").write_text((MIGRATIONS / "env.py").read_text())
        previous = None
        for revision, statement in list(scripts.items())[:count]:
            required = REQUIRES.get(revision) if phase == "pre" else None
            (folder / phase / f"{revision}.py").write_text(
                f"from alembic import op\n\nrevision = {revision!r}\ndown_revision = {previous!r}\n"
                f"requires_post = {required!r}\n\n\ndef upgrade():\n    op.execute({statement!r})\n"
            )
            previous = revision
    return folder


def columns(database: TenantDatabase) -> set[str]:
    """Those of the columns above that are there."""
    rows = database.query(
        "SELECT column_name || ' ' || data_type FROM information_schema.columns"
        " WHERE table_name = 'plans' AND column_name IN ('old', 'new')"
    )
    return {row[0] for row in rows}


def run(database: TenantDatabase, phase: Phase, migrations: Path) -> None:
    apply(database.migrate_settings(), phase, RELATIONS, migrations)


def test_pre_expands_and_only_post_contracts(fresh: TenantDatabase, tmp_path: Path) -> None:
    """After pre, what the previous release uses is still there; post drops it; both can be repeated."""
    run(fresh, "pre", release(tmp_path / "1", pre=1, post=0))
    second = release(tmp_path / "2", pre=2, post=1)
    for _ in range(2):
        run(fresh, "pre", second)
        assert columns(fresh) == {"old text", "new text"}
    for _ in range(2):
        run(fresh, "post", second)
        assert columns(fresh) == {"new text"}


def test_post_is_refused_before_pre(fresh: TenantDatabase, tmp_path: Path) -> None:
    """Contracting a schema that was not expanded is refused in one line, and changes nothing."""
    run(fresh, "pre", release(tmp_path / "1", pre=1, post=0))
    with pytest.raises(MigrationFailed, match=r"0002.*migrate pre"):
        run(fresh, "post", release(tmp_path / "2", pre=2, post=1))
    assert columns(fresh) == {"old text"}


def test_a_skipped_contraction_is_refused(fresh: TenantDatabase, tmp_path: Path) -> None:
    """A pre migration that needs an earlier post migration does not run before it; afterwards it does."""
    run(fresh, "pre", release(tmp_path / "2", pre=2, post=1))
    third = release(tmp_path / "3", pre=3, post=1)
    with pytest.raises(MigrationFailed, match=r"0003 needs post migration 0001"):
        run(fresh, "pre", third)
    assert columns(fresh) == {"old text", "new text"}
    run(fresh, "post", tmp_path / "2")
    run(fresh, "pre", third)
    assert columns(fresh) == {"new text", "old bigint"}


def test_a_new_database_gets_both_in_order(fresh: TenantDatabase, tmp_path: Path) -> None:
    """Where nothing runs yet, pre also applies the post migrations that its own later ones need."""
    third = release(tmp_path / "3", pre=3, post=1)
    run(fresh, "pre", third)
    assert columns(fresh) == {"new text", "old bigint"}
    run(fresh, "post", third)
    assert columns(fresh) == {"new text", "old bigint"}


@pytest.mark.parametrize("phase", ["pre", "post"])
def test_an_older_release_leaves_a_newer_database_alone(fresh: TenantDatabase, tmp_path: Path, phase: Phase) -> None:
    """After a rollback the Jobs of the older release succeed and change nothing."""
    second = release(tmp_path / "2", pre=2, post=1)
    run(fresh, "pre", second)
    run(fresh, "post", second)
    run(fresh, phase, release(tmp_path / "1", pre=1, post=0))
    assert columns(fresh) == {"new text"}


def test_the_api_may_not_change_the_histories(fresh: TenantDatabase, tmp_path: Path) -> None:
    """The role of the api reads both version tables and writes neither."""
    second = release(tmp_path / "2", pre=2, post=1)
    run(fresh, "pre", second)
    run(fresh, "post", second)
    for table in ("alembic_version", "alembic_version_post"):
        ((may_read, may_write),) = fresh.query(
            "SELECT has_table_privilege(%s, %s, 'SELECT'), has_table_privilege(%s, %s, 'INSERT, UPDATE, DELETE')",
            *(fresh.role("api"), table) * 2,
        )
        assert (may_read, may_write) == (True, False), table


def test_only_post_revokes_what_the_release_before_was_granted(tenant: TenantDatabase) -> None:
    """Pods of the previous release keep their rights until post, which leaves the declared ones."""
    settings, role = tenant.migrate_settings(), tenant.role("api")

    def may_delete() -> bool:
        return bool(tenant.query("SELECT has_table_privilege(%s, 'users', 'DELETE')", role)[0][0])

    tenant.query(f'GRANT DELETE ON users TO "{role}"')
    migrate(settings, "pre")
    assert may_delete()
    migrate(settings, "post")
    assert not may_delete()


@pytest.mark.parametrize(
    ("user", "api", "imaging", "says"),
    [
        ("api", "api", "imaging", "does not own this database"),
        ("owner", "owner", "imaging", "two roles other than"),
        ("owner", "api", "api", "two roles other than"),
    ],
)
def test_roles_that_are_mixed_up_are_refused(
    tenant: TenantDatabase, user: str, api: str, imaging: str, says: str
) -> None:
    """A run as another role than the owner, and one that would give a role the rights of another, change nothing."""
    settings = MigrateSettings(
        database_url=SecretStr(tenant.url(user)), api_role=tenant.role(api), imaging_role=tenant.role(imaging)
    )
    before = tenant.query("SELECT relname, relacl::text FROM pg_class ORDER BY oid")
    with pytest.raises(MigrationFailed, match=says):
        migrate(settings, "pre")
    assert tenant.query("SELECT relname, relacl::text FROM pg_class ORDER BY oid") == before


def test_status_names_what_is_pending(postgres: Postgres) -> None:
    """`migrate status` says, for each phase, what is applied and what is pending, before and after."""
    database = new_tenant(postgres)
    environment = {
        "DATABASE_URL": database.url("owner"),
        "API_ROLE": database.role("api"),
        "IMAGING_ROLE": database.role("imaging"),
    }

    def status() -> list[str]:
        argv = [sys.executable, "-m", "imghost_api", "migrate", "status"]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()

    revisions = sorted(path.stem[:4] for path in (MIGRATIONS / "pre").glob("0*.py"))
    assert status() == [f"pre: applied none, pending {', '.join(revisions)}", "post: applied none, pending none"]
    database.migrate()
    assert status() == [f"pre: applied {revisions[-1]}, pending none", "post: applied none, pending none"]


def test_a_table_that_post_rebuilds_is_isolated(fresh: TenantDatabase, tmp_path: Path) -> None:
    """A table that a post migration recreates has row-level security before the api may use it."""
    run(fresh, "pre", release(tmp_path / "1", pre=1, post=0))
    fresh.query("CREATE TABLE rebuilt (LIKE api_keys INCLUDING ALL)")
    fresh.query(f'ALTER TABLE rebuilt OWNER TO "{fresh.role("owner")}"; DROP TABLE api_keys')
    fresh.query("ALTER TABLE rebuilt RENAME TO api_keys")
    run(fresh, "post", tmp_path / "1")
    assert fresh.query("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = 'api_keys'") == [
        (True, True)
    ]
