"""Which schema this code was written for, and whether the database has it."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from imghost_api.db.engine import Database

MIGRATIONS = Path(__file__).parent / "migrations"


class OutdatedSchema(Exception):
    """The database lacks migrations that this code needs."""


def alembic_config() -> Config:
    """Alembic's configuration; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def is_current(revision: str | None) -> bool:
    """Whether a database at `revision` will do.

    A revision we do not know is newer than this code: migrations only ever expand before they contract, so the code
    of the release before still runs on it.
    """
    scripts = ScriptDirectory.from_config(alembic_config())
    if revision is None:
        return False
    try:
        scripts.get_revision(revision)
    except CommandError:
        return True
    return revision == scripts.get_current_head()


async def require_current(database: Database) -> None:
    """Raise `OutdatedSchema` unless the database has every migration this code knows, `Unavailable` when away."""
    revision = await database.revision()
    if not is_current(revision):
        raise OutdatedSchema(
            f"The database is at schema {revision or 'nothing'}, older than this program needs. Run `imghost migrate`."
        )
