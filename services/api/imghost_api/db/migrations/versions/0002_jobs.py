"""The job queue's own schema, as its library ships it (written for procrastinate 3.10)."""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the library's script in this migration's transaction."""
    connection = op.get_bind().connection.dbapi_connection
    assert connection is not None  # noqa: S101 - a migration always has one
    connection.cursor().execute(SchemaManager.get_schema())
