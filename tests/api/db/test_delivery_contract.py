"""What imaging reads and writes in the database is what the contract between api and imaging says."""

from dataclasses import fields
from datetime import datetime
from uuid import UUID

from imghost_core.contract.delivery import (
    IMAGE_COLUMNS,
    IMAGES_VIEW,
    VIEW_COUNT_COLUMN,
    VIEW_EVENT_COLUMNS,
    VIEW_EVENTS_TABLE,
    DeliveryImage,
    ViewEvent,
)
from support.api import TenantDatabase

POSTGRESQL = {
    UUID: {"uuid"},
    str: {"text"},
    bool: {"boolean"},
    int: {"integer", "bigint"},
    datetime: {"timestamp with time zone"},
    str | None: {"text"},
    int | None: {"integer", "bigint"},
}
_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
    WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
"""


def test_the_view_has_the_columns_of_the_contract(tenant: TenantDatabase) -> None:
    """The view has exactly the fields of `DeliveryImage`, with their types, and the number of views."""
    found = dict(tenant.query(_COLUMNS, IMAGES_VIEW))
    assert found.pop(VIEW_COUNT_COLUMN) == "bigint"
    assert found.keys() == {field.name for field in fields(DeliveryImage)}
    assert [field.name for field in fields(DeliveryImage) if found[field.name] not in POSTGRESQL[field.type]] == []


def test_the_table_has_the_columns_of_the_contract(tenant: TenantDatabase) -> None:
    """Each field of `ViewEvent` is a column of the table with its type; the others are the table's own."""
    found = dict(tenant.query(_COLUMNS, VIEW_EVENTS_TABLE))
    assert [field.name for field in fields(ViewEvent) if found.get(field.name) not in POSTGRESQL[field.type]] == []
    assert found.keys() - set(VIEW_EVENT_COLUMNS) == {"id", "counted"}  # both have a default


def test_imaging_has_these_two_rights_only(tenant: TenantDatabase) -> None:
    """Imaging's role may select from the view and insert the columns of the contract, and nothing else."""
    rights = tenant.query(
        "SELECT table_name, privilege_type, column_name FROM information_schema.column_privileges WHERE grantee = %s",
        tenant.role("imaging"),
    )
    selected = {(IMAGES_VIEW, "SELECT", name) for name in (*IMAGE_COLUMNS, VIEW_COUNT_COLUMN)}
    assert set(rights) == selected | {(VIEW_EVENTS_TABLE, "INSERT", name) for name in VIEW_EVENT_COLUMNS}
