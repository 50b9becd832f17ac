"""The schema of the job queue: the library's own, frozen in `0002_jobs.sql`."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the script in this migration's transaction."""
    connection = op.get_bind().connection.dbapi_connection
    assert connection is not None  # noqa: S101 - a migration always has one
    connection.cursor().execute(Path(__file__).with_suffix(".sql").read_text())
