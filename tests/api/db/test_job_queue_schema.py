"""The frozen schema of the job queue is the one that the installed library needs."""

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from support.api import new_tenant
from support.postgres import Postgres

OBJECTS = """
    SELECT 'column', format('%%s.%%s %%s %%s %%s', table_name, column_name, udt_name, is_nullable, column_default)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name LIKE 'procrastinate%%'
    UNION ALL
    SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename LIKE 'procrastinate%%'
    UNION ALL
    SELECT 'constraint', conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text LIKE 'procrastinate%%'
    UNION ALL
    SELECT 'function', pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'procrastinate%%'
    UNION ALL
    SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger
    WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'procrastinate%%'
    UNION ALL
    SELECT 'value', t.typname || ' ' || e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
    WHERE t.typname LIKE 'procrastinate%%'
"""


def test_migrations_make_the_schema_of_the_installed_library(postgres: Postgres) -> None:
    """Tables, indexes, constraints, functions, triggers and values are the library's own."""
    migrated, shipped = new_tenant(postgres), new_tenant(postgres)
    migrated.migrate()
    with psycopg.connect(shipped.url("owner"), autocommit=True) as connection:
        connection.execute(SchemaManager.get_schema().encode())
    ours, theirs = set(migrated.query(OBJECTS)), set(shipped.query(OBJECTS))
    assert len(theirs) > 50
    if ours != theirs:
        pytest.fail(
            "The installed procrastinate needs another schema than the migrations make. Add a pre migration with the "
            f"library's own change; do not edit 0002_jobs.sql. Differences: {sorted(ours ^ theirs)[:6]}"
        )
