"""`imghost migrate pre|post|status`: the schema and the rights of this release, in a tenant's database."""

import logging
import sys
from typing import Literal

from imghost_api.db.migrate import MigrationFailed, apply, describe
from imghost_api.db.schema import Phase
from imghost_api.settings import MigrateSettings
from imghost_api.tables import RELATIONS
from imghost_core import logs
from imghost_core.settings import load


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


def migrate(settings: MigrateSettings, phase: Phase) -> None:
    """Apply what is missing of a phase, with row-level security and grants. Raises `MigrationFailed`."""
    apply(settings, phase, RELATIONS)
