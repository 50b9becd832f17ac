"""Isolation of workspaces and rights of roles, derived from the tables: a new one is held to them without a list."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Column, ForeignKey, MetaData, Table, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from imghost_api.db.base import Base, Relation, require_isolation
from imghost_api.tables import RELATIONS
from imghost_core.ids import uuid7
from support.api import TenantDatabase

ISOLATED = {found.name: found.workspace_column for found in RELATIONS if found.workspace_column}
_WITH_WORKSPACE = """
    SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND a.attname = 'workspace_id' AND NOT a.attisdropped
"""
_RELATIONS = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = 'public'::regnamespace"
)
_GRANTS = """
    SELECT c.relname, coalesce(r.rolname, 'PUBLIC'), acl.privilege_type, ''
    FROM pg_class c, aclexplode(c.relacl) acl LEFT JOIN pg_roles r ON r.oid = acl.grantee
    WHERE c.relkind IN ('r', 'p', 'v', 'm') AND c.relnamespace = 'public'::regnamespace AND acl.grantee <> c.relowner
    UNION ALL
    SELECT c.relname, coalesce(r.rolname, 'PUBLIC'), acl.privilege_type, a.attname
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) acl
    LEFT JOIN pg_roles r ON r.oid = acl.grantee
    WHERE c.relnamespace = 'public'::regnamespace
"""
_OPEN = """
    SELECT relname FROM pg_class
    WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace AND has_table_privilege(%s, oid, 'SELECT')
      AND coalesce(array_to_string(reloptions, ','), '') !~ 'security_invoker=(true|on|1)'
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
    ORDER BY 1
"""
_OPEN_TABLE = """
from sqlalchemy.orm import Mapped, mapped_column
from imghost_api.db.base import API_WRITES, Base

class Open(Base):
    __tablename__ = "open"
    __grants__ = (API_WRITES,)
    workspace_id: Mapped[int] = mapped_column(primary_key=True)

import imghost_api.migrate
"""
_NEEDED = """
    SELECT attname, format_type(atttypid, NULL) FROM pg_attribute a
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND attnotnull AND NOT atthasdef AND attidentity = ''
"""
# By type, for the first and the second row. All text is a role: memberships accept nothing else.
VALUES: dict[str, Callable[[int], object]] = {
    "uuid": lambda _: uuid7(),
    "text": lambda number: ("owner", "admin")[number],
    "bigint": lambda number: number + 1,
    "integer": lambda number: number + 1,
    "bytea": lambda _: uuid7().bytes,
    "date": lambda _: datetime.now(UTC).date(),
    "timestamp with time zone": lambda _: datetime.now(UTC),
    "jsonb": lambda _: "{}",
}


def test_every_table_with_a_workspace_enforces_row_level_security(tenant: TenantDatabase) -> None:
    """A table with `workspace_id` and without row-level security, also for its owner, would show rows of all."""
    tables = dict(tenant.query(_WITH_WORKSPACE))
    assert tables.keys() == ISOLATED.keys() - {"workspaces"}
    assert [table for table, is_enforced in tables.items() if not is_enforced] == []


@pytest.mark.parametrize("table", ISOLATED)
def test_a_row_for_another_workspace_is_not_accepted(tenant: TenantDatabase, table: str) -> None:
    """The api's role cannot insert a row for a workspace that its transaction is not in."""
    insert = sql.SQL("INSERT INTO {} ({}) VALUES (%s)").format(sql.Identifier(table), sql.Identifier(ISOLATED[table]))
    with psycopg.connect(tenant.url("api")) as connection:
        connection.execute("SELECT set_config('imghost.workspace', %s, true)", [str(uuid7())])
        with pytest.raises(InsufficientPrivilege, match=f'row-level security policy for table "{table}"'):
            connection.execute(insert, [uuid7()])


@pytest.mark.parametrize("table", ISOLATED)
def test_rows_of_another_workspace_are_not_reached(tenant: TenantDatabase, table: str) -> None:
    """Without any condition a statement of the api's role reads, moves and deletes its own workspace's rows only."""
    mine, other = uuid7(), uuid7()
    with rows_of(tenant, table, mine, other) as execute:
        for workspace, reached in (("", []), (mine, [(mine,)]), (other, [(other,)])):
            execute("SELECT set_config('imghost.workspace', {value}, true)", str(workspace))
            for statement in (
                "SELECT {column} FROM {table}",
                "UPDATE {table} SET {column} = {column} RETURNING {column}",
                "DELETE FROM {table} RETURNING {column}",
            ):
                assert execute(statement).fetchall() == reached


@pytest.mark.parametrize("table", ISOLATED)
def test_a_row_is_not_moved_to_another_workspace(tenant: TenantDatabase, table: str) -> None:
    """An update of the api's role cannot put a row into a workspace that its transaction is not in."""
    mine = uuid7()
    with rows_of(tenant, table, mine) as execute:
        execute("SELECT set_config('imghost.workspace', {value}, true)", str(mine))
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            execute("UPDATE {table} SET {column} = {value}", uuid7())


@contextmanager
def rows_of(tenant: TenantDatabase, table: str, *workspaces: UUID) -> Iterator[Callable[..., psycopg.Cursor]]:
    """A table with a row for each workspace, under the api's role with every right, in a transaction that is undone."""
    with psycopg.connect(tenant.admin_url) as connection, connection.transaction(force_rollback=True):

        def execute(statement: str, value: object = None) -> psycopg.Cursor:
            return connection.execute(sql.SQL(statement).format(**names, value=sql.Literal(value)))

        names = {
            "table": sql.Identifier(table),
            "column": sql.Identifier(ISOLATED[table]),
            "role": sql.Identifier(tenant.role("api")),
        }
        execute("SET LOCAL session_replication_role = replica")  # without foreign keys
        for number, workspace in enumerate(workspaces):
            insert_row(connection, table, workspace, number)
        execute("GRANT ALL ON {table} TO {role}")
        execute("SET LOCAL ROLE {role}")
        yield execute


def insert_row(connection: psycopg.Connection, table: str, workspace: UUID, number: int) -> None:
    """Insert a row of a workspace with some value in each column that needs one."""
    needed = connection.execute(_NEEDED, [table]).fetchall()
    values = {column: VALUES[kind](number) for column, kind in needed} | {ISOLATED[table]: workspace}
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Placeholder() * len(values)),
    )
    connection.execute(statement, list(values.values()))


def test_roles_have_exactly_the_declared_grants(tenant: TenantDatabase) -> None:
    """No table, view or column grants a role more or less than its declaration, and none is undeclared."""
    declared = {
        (found.name, tenant.role(grant.role), privilege, column)
        for found in RELATIONS
        for grant in found.grants
        for privilege in grant.privileges
        for column in grant.columns or ("",)
    }
    existing = {row[0] for row in tenant.query(_RELATIONS)}
    assert existing == {found.name for found in RELATIONS} - {"alembic_version_post"}  # made by the first of that phase
    assert set(tenant.query(_GRANTS)) == {grant for grant in declared if grant[0] in existing}


def test_a_table_without_grants_cannot_be_defined() -> None:
    """A class that forgets to say who may do what is refused when it is imported."""
    with pytest.raises(TypeError, match="no __grants__"):

        class _Ungranted(Base):
            __tablename__ = "ungranted"
            id: Mapped[int] = mapped_column(primary_key=True)


def test_a_table_with_a_workspace_is_refused_unless_it_is_isolated() -> None:
    """`migrate` does not start with a class that has a `workspace_id` and is no `WorkspaceRow`."""
    ended = subprocess.run([sys.executable, "-c", _OPEN_TABLE], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "TypeError: open has rows of workspaces: make its class a WorkspaceRow" in ended.stderr


@pytest.mark.parametrize(
    ("columns", "isolated_by"),
    [
        ([Column("workspace_id", Uuid())], None),  # of a mixin, without an annotation, or under another attribute
        ([Column("team_id", ForeignKey("workspaces.id"))], None),
        ([Column("image_id", ForeignKey("images.id"))], None),
        ([Column("workspace_id", Uuid()), Column("user_id", Uuid())], "user_id"),
    ],
)
def test_a_table_that_belongs_to_workspaces_is_isolated_however_it_says_so(
    columns: list[Column[Any]], isolated_by: str | None
) -> None:
    """What the class alone does not show is refused when the tables are gathered."""
    table = Table("open", MetaData(), *columns)
    with pytest.raises(TypeError, match="open has"):
        require_isolation([table], [*RELATIONS, Relation("open", (), isolated_by)])


def test_nothing_that_the_api_may_use_runs_under_the_owners_rights(tenant: TenantDatabase) -> None:
    """A view without `security_invoker`, a materialized view and a SECURITY DEFINER function show all workspaces."""
    assert tenant.query(_OPEN, tenant.role("api")) == []
    tenant.query("CREATE VIEW open_view AS SELECT * FROM images; CREATE MATERIALIZED VIEW open_copy AS SELECT 1")
    try:
        tenant.query(f'GRANT SELECT ON open_view, open_copy TO "{tenant.role("api")}"')
        assert tenant.query(_OPEN, tenant.role("api")) == [("open_copy",), ("open_view",)]
    finally:
        tenant.query("DROP VIEW open_view; DROP MATERIALIZED VIEW open_copy")
