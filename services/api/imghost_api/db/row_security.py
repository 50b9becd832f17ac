"""Row-level security, derived from the tables: the rows of a `WorkspaceRow` are those of the transaction's workspace.

See PostgreSQL's documentation, "Row Security Policies". FORCE applies the policy to the owner of the table as well.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from imghost_api.db.base import Relation

POLICY = "workspace"
_FOUND = text("""
    SELECT c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
        SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = :policy
    )
    FROM pg_class c WHERE c.oid = to_regclass(:table)
""")


def enforce(connection: Connection, relations: Iterable[Relation]) -> None:
    """Switch row-level security on for each table of workspaces that exists and lacks it.

    A table that has it is not touched: ALTER TABLE would wait for every query that runs on it. A rule that is to change
    for such tables therefore needs a migration.
    """
    for relation in relations:
        if column := relation.workspace_column:
            found = connection.scalar(_FOUND, {"policy": POLICY, "table": f"public.{relation.name}"})
            if found is False:
                _enforce(connection, relation.name, column)


def _enforce(connection: Connection, table: str, column: str) -> None:
    visible = (
        f"{column} = nullif(current_setting('imghost.workspace', true), '')::uuid"
        " OR current_setting('imghost.all_workspaces', true) = 'on'"
    )
    for statement in (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"DROP POLICY IF EXISTS {POLICY} ON {table}",
        f"CREATE POLICY {POLICY} ON {table} USING ({visible}) WITH CHECK ({visible})",
    ):
        connection.execute(text(statement))
