"""Isolation of workspaces, derived from the migrated database: a new table is found without being listed anywhere."""

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from imghost_core.ids import uuid7
from support.api import TenantDatabase

_TABLES = """
    SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND a.attname = 'workspace_id' AND NOT a.attisdropped
    ORDER BY 1
"""


def test_every_table_with_a_workspace_enforces_row_level_security(tenant: TenantDatabase) -> None:
    """A table with `workspace_id` and without row-level security, also for its owner, would show rows of all."""
    tables = dict(tenant.query(_TABLES))
    assert {"images", "api_keys", "outbox"} < tables.keys()
    assert [table for table, is_enforced in tables.items() if not is_enforced] == []


def test_a_row_for_another_workspace_is_not_accepted(tenant: TenantDatabase) -> None:
    """In each of these tables the api's role cannot insert a row for a workspace that its transaction is not in."""
    mine, other = uuid7(), uuid7()
    with psycopg.connect(tenant.url("api")) as connection:
        for table in dict(tenant.query(_TABLES)):
            insert = sql.SQL("INSERT INTO {} (workspace_id) VALUES (%s)").format(sql.Identifier(table))
            with connection.transaction(force_rollback=True):
                connection.execute("SELECT set_config('imghost.workspace', %s, true)", [str(mine)])
                with pytest.raises(InsufficientPrivilege, match=f'row-level security policy for table "{table}"'):
                    connection.execute(insert, [other])
