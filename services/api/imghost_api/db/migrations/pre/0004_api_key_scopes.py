"""Scopes of API keys; existing keys keep what every key could do until now."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column with a constant default: no row is rewritten, and the previous release can still insert keys."""
    op.add_column(
        "api_keys",
        sa.Column(
            "scopes",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{images:read,images:write,images:delete,quota:read}'"),
            nullable=False,
            comment="Permissions the key may use, at most those of its owner",
        ),
    )
