"""`imghost migrate pre|post|status`: change the schema as its owner, and give each role just what it needs.

*pre* expands and may run while pods of the release before serve. *post* contracts and may run only when none of them is
left; the operator's Jobs keep to that. A pre revision that cannot work before a certain post revision names it in
`requires_post`: a database that skipped it is refused, except a new one, where nothing runs and both are applied.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psycopg
from psycopg import sql
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from imghost_api.db.history import History
from imghost_api.db.schema import MIGRATIONS, VERSION_TABLES, Phase
from imghost_api.settings import MigrateSettings
from imghost_core import logs
from imghost_core.contract.delivery import IMAGES_VIEW, VIEW_EVENT_COLUMNS, VIEW_EVENTS_TABLE
from imghost_core.settings import load

_LOCK = 0x1196_4057  # any number of our own: one migration at a time per database
_DDL_LOCK_TIMEOUT = "5s"  # an ALTER waiting for its lock queues every query behind it
_log = logs.get("imghost.migrate")


class MigrationFailed(Exception):
    """Nothing was changed; the text says why, in one line."""


def run(action: Phase | Literal["status"]) -> None:
    """Read the settings from the environment, migrate, and end non-zero with one clear line when that fails."""
    settings = load(MigrateSettings, program="imghost migrate")
    logs.configure("migrate", level="info", console=sys.stderr.isatty())
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
    try:
        if action == "status":
            sys.stdout.write(describe(settings))
        else:
            migrate(settings, action)
    except MigrationFailed as error:
        sys.exit(f"imghost migrate: {error}")


def migrate(settings: MigrateSettings, phase: Phase, migrations: Path = MIGRATIONS) -> None:
    """Apply what is missing of a phase and set the grants, in one transaction.

    Safe to repeat and to start twice concurrently. A database that a later release has migrated is left as it is.
    Raises `MigrationFailed`.
    """
    apply = _expand if phase == "pre" else _contract
    with _open(settings) as connection:
        _take_turn(connection, settings.migrate_timeout_seconds)
        with connection.begin():
            connection.execute(text("SELECT set_config('imghost.all_workspaces', 'on', true)"))
            pre, post = History(connection, "pre", migrations), History(connection, "post", migrations)
            if pre.is_ahead or post.is_ahead:
                _log.info("the database was migrated by a later release; nothing to do")
                return
            apply(pre, post)
            _grant(connection, settings)
    _log.info("schema is up to date", phase=phase)


def describe(settings: MigrateSettings) -> str:
    """What is applied and what is pending, a line for each phase. Raises `MigrationFailed`."""
    with _open(settings) as connection:
        histories = {phase: History(connection, phase) for phase in VERSION_TABLES}
        lines = []
        for phase, history in histories.items():
            pending = "a later release's" if history.is_ahead else ", ".join(_names(history)) or "none"
            lines.append(f"{phase}: applied {history.revision or 'none'}, pending {pending}\n")
        return "".join(lines)


@contextmanager
def _open(settings: MigrateSettings) -> Iterator[Connection]:
    url = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    engine = create_engine(
        url, hide_parameters=True, connect_args={"connect_timeout": settings.migrate_timeout_seconds}
    )
    try:
        with engine.connect() as connection:
            yield connection
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


def _expand(pre: History, post: History) -> None:
    is_new = pre.revision is None
    for script in pre.pending():
        required: str | None = getattr(script.module, "requires_post", None)
        if required and not post.has(required):
            if not is_new:
                raise MigrationFailed(
                    f"pre migration {script.revision} needs post migration {required}, which has not run. "
                    "Finish the upgrade to the release before this one: run its `migrate post`, then this again."
                )
            post.upgrade(required)
        pre.upgrade(script.revision)


def _contract(pre: History, post: History) -> None:
    if pending := _names(pre):
        raise MigrationFailed(f"pre migrations have not run: {', '.join(pending)}. Run `migrate pre` first.")
    for script in post.pending():
        post.upgrade(script.revision)


def _names(history: History) -> list[str]:
    return [script.revision for script in history.pending()]


def _grant(connection: Connection, settings: MigrateSettings) -> None:
    """Grants are set again each time: the roles may be new ones."""
    api, imaging = sql.Identifier(settings.api_role), sql.Identifier(settings.imaging_role)
    event = sql.SQL(", ").join(map(sql.Identifier, VIEW_EVENT_COLUMNS))
    statements = [
        sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}, {}").format(api, imaging),
        sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(api),
        sql.SQL("REVOKE INSERT, UPDATE, DELETE ON {} FROM {}").format(_read_only(connection), api),
        sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(api),
        sql.SQL("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC"),
        sql.SQL("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {}").format(api),
        sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(IMAGES_VIEW), imaging),
        sql.SQL("GRANT INSERT ({}) ON {} TO {}").format(event, sql.Identifier(VIEW_EVENTS_TABLE), imaging),
    ]
    cursor = connection.connection.cursor()
    for statement in statements:
        cursor.execute(statement)


def _read_only(connection: Connection) -> sql.Composed:
    """Tables and views that the api only reads."""
    names = ["plans", IMAGES_VIEW, *VERSION_TABLES.values()]
    found = connection.execute(
        text("SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass(name) IS NOT NULL"),
        {"names": names},
    )
    return sql.SQL(", ").join(map(sql.Identifier, found.scalars()))


def _reason(error: DBAPIError | psycopg.Error) -> str:
    """The server's own first line; it names roles and tables, never a password."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return (str(original).strip().splitlines() or [type(error).__name__])[0]
