"""Alembic's entry: runs the migrations on the connection it is given."""

from typing import Any

from alembic import context

from imghost_api.db.tables import Base
from imghost_api.events import tables as _events  # noqa: F401 - their tables are compared as well


def ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Leave the job queue's own tables to their own migration."""
    return not (kind == "table" and (name or "").startswith("procrastinate_"))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_object=ours,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
