"""What imaging's role can insert is bounded by the table itself: imaging decodes untrusted bytes."""

from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.api import TenantDatabase

VALID: dict[str, Any] = {
    "image_id": "00000000-0000-7000-8000-000000000001",
    "viewed_at": "2026-01-05T12:00Z",
    "variant": "original",
    "bytes": 10,
    "status": 200,
    "is_view": True,
    "referrer_host": "h" * 253,
    "user_agent": "a" * 256,
}


def insert(tenant: TenantDatabase, **changes: Any) -> None:
    """Insert one view event as imaging does, and take it back."""
    row = {**VALID, **changes}
    with psycopg.connect(tenant.url("imaging")) as connection:
        connection.execute(
            sql.SQL("INSERT INTO view_events ({}) VALUES ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
            ),
            row,
        )
        connection.rollback()


def test_what_imaging_inserts_is_within_the_bounds(tenant: TenantDatabase) -> None:
    """The longest values that imaging sends are accepted."""
    insert(tenant)


@pytest.mark.parametrize(
    "change",
    [
        {"variant": "v" * 17},
        {"bytes": -1},
        {"bytes": 2**40 + 1},
        {"status": 99},
        {"status": 600},
        {"referrer_host": "h" * 254},
        {"user_agent": "a" * 257},
        {"viewed_at": "infinity"},
        {"viewed_at": "2019-12-31T00:00Z"},
        {"viewed_at": "9999-01-01T00:00Z"},
    ],
    ids=str,
)
def test_other_values_are_rejected(tenant: TenantDatabase, change: dict[str, Any]) -> None:
    """Values that would fill the disk, falsify sums or break the roll-up violate a constraint of the column."""
    with pytest.raises(psycopg.errors.CheckViolation, match=f"ck_view_events_{next(iter(change))}"):
        insert(tenant, **change)
