"""Which schema this code was written for, and whether the database has it.

Migrations have two phases with a history each: *pre* expands the schema before the pods of a release start, *post*
contracts it after the last pod of the previous release has ended.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from imghost_api.db.base import API_READS, Relation
from imghost_api.db.engine import Database

Phase = Literal["pre", "post"]
MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLES: Mapping[Phase, str] = {"pre": "alembic_version", "post": "alembic_version_post"}
VERSIONS = tuple(Relation(name, (API_READS,)) for name in VERSION_TABLES.values())


class OutdatedSchema(Exception):
    """The database lacks migrations that this code needs."""


def alembic_config(phase: Phase, migrations: Path = MIGRATIONS) -> Config:
    """Alembic's configuration for one phase; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("version_locations", str(migrations / phase))
    config.set_main_option("path_separator", "os")
    config.attributes["version_table"] = VERSION_TABLES[phase]
    return config


def is_known(scripts: ScriptDirectory, revision: str | None) -> bool:
    """Whether a revision is one of these; one that is not was applied by a later release."""
    try:
        return revision is None or scripts.get_revision(revision) is not None
    except CommandError:
        return False


def is_current(revision: str | None) -> bool:
    """Whether a database at this pre revision will do.

    An unknown revision is newer than this code: pre migrations only expand, so the code of the previous release still
    runs on it.
    """
    scripts = ScriptDirectory.from_config(alembic_config("pre"))
    if revision is None:
        return False
    return not is_known(scripts, revision) or revision == scripts.get_current_head()


async def require_current(database: Database) -> None:
    """Raise `OutdatedSchema` unless the database has every pre migration this code knows, `Unavailable` when away."""
    revision = await database.revision()
    if not is_current(revision):
        raise OutdatedSchema(
            f"The database is at schema {revision or 'nothing'}, older than this program needs. "
            "Run `imghost migrate pre`."
        )
