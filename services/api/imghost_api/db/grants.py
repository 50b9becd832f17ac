"""Grants, derived from the tables: each role can do what a table or view declares for it, and nothing else."""

from collections.abc import Iterable, Mapping

from psycopg import Cursor, sql
from sqlalchemy import Connection

from imghost_api.db.base import Grant, Relation

Roles = Mapping[str, str]
"""Names of the database roles `api` and `imaging`."""


def add(connection: Connection, roles: Roles, relations: Iterable[Relation]) -> None:
    """Grant what is declared for those that exist. Repeated by each run, since the roles may be new ones."""
    cursor = _cursor(connection)
    api, imaging = sql.Identifier(roles["api"]), sql.Identifier(roles["imaging"])
    for statement in (
        sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}, {}").format(api, imaging),
        # Sequences and functions are the job queue's: identity columns need no right of their own.
        sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(api),
        sql.SQL("REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA public FROM PUBLIC"),
        sql.SQL("GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO {}").format(api),
    ):
        cursor.execute(statement)
    for relation in relations:
        if cursor.execute("SELECT to_regclass(%s)", [f"public.{relation.name}"]).fetchone() != (None,):
            for grant in relation.grants:
                cursor.execute(_statement(relation.name, grant, roles[grant.role]))


def revoke_others(connection: Connection, roles: Roles, relations: Iterable[Relation]) -> None:
    """Leave the roles only what is declared. Pods of the previous release may still need more: for *post* only."""
    names = sql.SQL(", ").join(sql.Identifier(role) for role in roles.values())
    _cursor(connection).execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(names))
    add(connection, roles, relations)


def _statement(name: str, grant: Grant, role: str) -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, grant.columns))
    narrowed = sql.SQL(" ({})").format(columns) if grant.columns else sql.SQL("")
    privileges = sql.SQL(", ").join(sql.SQL("{}{}").format(sql.SQL(name), narrowed) for name in grant.privileges)
    return sql.SQL("GRANT {} ON {} TO {}").format(privileges, sql.Identifier(name), sql.Identifier(role))


def _cursor(connection: Connection) -> Cursor[tuple[object, ...]]:
    cursor: Cursor[tuple[object, ...]] = connection.connection.cursor()  # type: ignore[assignment]
    return cursor
