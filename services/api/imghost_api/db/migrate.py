"""Migrations: change the schema as its owner, and give each role just what it needs.

*pre* expands and may run while pods of the previous release serve. *post* contracts and may run only when none of them
is left; the operator's Jobs keep to that. A pre revision that cannot work before a certain post revision names it in
`requires_post`: a database that skipped it is refused, except a new one, where nothing runs and both are applied.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from imghost_api.db import grants, row_security
from imghost_api.db.base import Relation
from imghost_api.db.history import History
from imghost_api.db.schema import MIGRATIONS, VERSION_TABLES, Phase
from imghost_api.settings import MigrateSettings
from imghost_core import logs

_LOCK = 0x1196_4057  # any number of our own: one migration at a time per database
_DDL_LOCK_TIMEOUT = "5s"  # an ALTER waiting for its lock queues every query behind it
_OWNER = text("""
    SELECT current_user, pg_has_role(current_user, datdba, 'USAGE') FROM pg_database WHERE datname = current_database()
""")
_log = logs.get("imghost.migrate")


class MigrationFailed(Exception):
    """Nothing was changed; the text says why, in one line."""


def apply(
    settings: MigrateSettings, phase: Phase, relations: Iterable[Relation], migrations: Path = MIGRATIONS
) -> None:
    """Apply what is missing of a phase, then what `relations` declare, in one transaction.

    Safe to repeat and to start twice concurrently. A database that a later release has migrated is left as it is.
    Raises `MigrationFailed`.
    """
    roles = {"api": settings.api_role, "imaging": settings.imaging_role}
    with _open(settings) as connection:
        _check_roles(connection, roles)
        _take_turn(connection, settings.migrate_timeout_seconds)
        with connection.begin():
            connection.execute(text("SELECT set_config('imghost.all_workspaces', 'on', true)"))
            pre, post = History(connection, "pre", migrations), History(connection, "post", migrations)
            if pre.is_ahead or post.is_ahead:
                _log.info("the database was migrated by a later release; nothing to do")
                return
            if phase == "pre":
                _expand(pre, post)
                row_security.enforce(connection, relations)
                grants.add(connection, roles, relations)
            else:
                _contract(pre, post)
                row_security.enforce(connection, relations)  # it may have rebuilt a table
                grants.revoke_others(connection, roles, relations)
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


def _check_roles(connection: Connection, roles: grants.Roles) -> None:
    """Else a run as one of the two would change nothing and succeed, or give one of them the rights of another."""
    with connection.begin():
        user, is_owner = connection.execute(_OWNER).one()
    if not is_owner:
        raise MigrationFailed(f"{user} does not own this database. Set DATABASE_URL to the URL of its owner.")
    if len({user, *roles.values()}) < 1 + len(roles) or "public" in roles.values():
        raise MigrationFailed("API_ROLE and IMAGING_ROLE must be two roles other than the owner's and `public`.")


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
                    "Finish the upgrade to the previous release: run its `migrate post`, then this again."
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


def _reason(error: DBAPIError | psycopg.Error) -> str:
    """The server's own first line; it names roles and tables, never a password."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return (str(original).strip().splitlines() or [type(error).__name__])[0]
