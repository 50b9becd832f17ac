"""Alembic's entry: runs the migrations of one phase on the connection it is given.

It imports no tables: those belong to rooms above this one, and migrations are written without them.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], version_table=context.config.attributes["version_table"]
)
with context.begin_transaction():
    context.run_migrations()
