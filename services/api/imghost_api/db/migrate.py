"""`imghost migrate`: bring the schema up to date as its owner, and give each role just what it needs."""

import logging
import sys

import psycopg
from alembic import command
from psycopg import sql
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from imghost_api.db.schema import alembic_config
from imghost_api.settings import MigrateSettings
from imghost_core import logs
from imghost_core.contract.delivery import IMAGES_VIEW, VIEW_EVENT_COLUMNS, VIEW_EVENTS_TABLE
from imghost_core.settings import load

_LOCK = 0x1196_4057  # any number of our own: one migration at a time per database
_DDL_LOCK_TIMEOUT = "5s"  # an ALTER waiting for its lock queues every query behind it
_log = logs.get("imghost.migrate")


class MigrationFailed(Exception):
    """Nothing was changed; the text says why, in one line."""


def run() -> None:
    """Read the settings from the environment, migrate, and end non-zero with one clear line when that fails."""
    settings = load(MigrateSettings, program="imghost migrate")
    logs.configure("migrate", level="info", console=sys.stderr.isatty())
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
    try:
        migrate(settings)
    except MigrationFailed as error:
        sys.exit(f"imghost migrate: {error}")


def migrate(settings: MigrateSettings) -> None:
    """Apply what is missing and set the grants, in one transaction; safe to repeat and to start twice concurrently.

    Raises `MigrationFailed`.
    """
    url = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    seconds = settings.migrate_timeout_seconds
    engine = create_engine(url, hide_parameters=True, connect_args={"connect_timeout": seconds})
    try:
        with engine.connect() as connection:
            _take_turn(connection, seconds)
            _apply(connection, settings)
    except OperationalError as error:
        raise MigrationFailed(f"the database is out of reach or busy: {_reason(error)}. Run it again.") from error
    except (DBAPIError, psycopg.Error) as error:
        raise MigrationFailed(f"the database refused: {_reason(error)}") from error
    finally:
        engine.dispose()


def _take_turn(connection: Connection, seconds: int) -> None:
    with connection.begin():
        connection.execute(text(f"SET lock_timeout = '{seconds}s'"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.execute(text(f"SET lock_timeout = '{_DDL_LOCK_TIMEOUT}'"))


def _apply(connection: Connection, settings: MigrateSettings) -> None:
    with connection.begin():
        connection.execute(text("SELECT set_config('imghost.all_workspaces', 'on', true)"))
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _grant(connection, settings)
    _log.info("schema is up to date")


def _grant(connection: Connection, settings: MigrateSettings) -> None:
    """Grants are set again each time: the roles may be new ones."""
    api, imaging = sql.Identifier(settings.api_role), sql.Identifier(settings.imaging_role)
    event = sql.SQL(", ").join(map(sql.Identifier, VIEW_EVENT_COLUMNS))
    statements = [
        sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}, {}").format(api, imaging),
        sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(api),
        sql.SQL("REVOKE INSERT, UPDATE, DELETE ON plans, alembic_version, delivery_images FROM {}").format(api),
        sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(api),
        sql.SQL("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC"),
        sql.SQL("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {}").format(api),
        sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(IMAGES_VIEW), imaging),
        sql.SQL("GRANT INSERT ({}) ON {} TO {}").format(event, sql.Identifier(VIEW_EVENTS_TABLE), imaging),
    ]
    cursor = connection.connection.cursor()
    for statement in statements:
        cursor.execute(statement)


def _reason(error: DBAPIError | psycopg.Error) -> str:
    """The server's own first line; it names roles and tables, never a password."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return (str(original).strip().splitlines() or [type(error).__name__])[0]
