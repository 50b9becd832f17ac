"""The history of one phase of migrations: what a database has, what is pending, and the way forward."""

from pathlib import Path

from alembic import command
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from imghost_api.db.schema import MIGRATIONS, VERSION_TABLES, Phase, alembic_config, is_known


class History:
    """The migrations of one phase, on one connection. `migrations` is the folder of both phases."""

    def __init__(self, connection: Connection, phase: Phase, migrations: Path = MIGRATIONS) -> None:
        self._connection = connection
        self._config = alembic_config(phase, migrations)
        self._config.attributes["connection"] = connection
        self._options = {"version_table": VERSION_TABLES[phase]}
        self._scripts = ScriptDirectory.from_config(self._config)

    @property
    def revision(self) -> str | None:
        """The newest applied revision; None when there is none."""
        return MigrationContext.configure(self._connection, opts=self._options).get_current_revision()

    @property
    def is_ahead(self) -> bool:
        """Whether a later release has migrated this database."""
        return not is_known(self._scripts, self.revision)

    def pending(self) -> list[Script]:
        """What is not applied yet, in order; nothing when a later release has migrated this database."""
        head = self._scripts.get_current_head()
        if head is None or self.is_ahead:
            return []
        return list(self._scripts.iterate_revisions(head, self.revision or "base"))[::-1]

    def has(self, revision: str) -> bool:
        """Whether a revision is applied."""
        return self.is_ahead or revision not in {script.revision for script in self.pending()}

    def upgrade(self, revision: str) -> None:
        """Apply everything up to a revision, in the connection's transaction."""
        command.upgrade(self._config, revision)
