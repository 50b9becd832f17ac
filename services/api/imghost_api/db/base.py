"""What every table declares: its columns, who may do what with its rows, and whether each row belongs to a workspace.

Row-level security (`db.row_security`) and grants (`db.grants`) follow from these declarations in each run of `migrate`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from sqlalchemy import BigInteger, DateTime, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
Privilege = Literal["SELECT", "INSERT", "UPDATE", "DELETE"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a database role may do with the rows of a table or view; `columns` narrows it to these."""

    role: Literal["api", "imaging"]
    privileges: Sequence[Privilege]
    columns: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view as the migrations make it. `workspace_column` names the workspace that a row belongs to."""

    name: str
    grants: Sequence[Grant]
    workspace_column: str | None = None


API_READS = Grant("api", ("SELECT",))
API_WRITES = Grant("api", ("SELECT", "INSERT", "UPDATE", "DELETE"))


class Base(DeclarativeBase):
    """A table. Text is TEXT, whole numbers are BIGINT, times carry their zone.

    A class without `__grants__` raises `TypeError`.
    """

    __grants__: ClassVar[Sequence[Grant]]

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        int: BigInteger(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
    }

    def __init_subclass__(cls, **options: Any) -> None:
        if not hasattr(cls, "__grants__"):
            raise TypeError(f"{cls.__name__} declares no __grants__: say which roles may do what with its rows.")
        super().__init_subclass__(**options)


class WorkspaceRow:
    """Mixin of tables whose every row belongs to one workspace: a transaction sees and writes rows of its own only."""

    __workspace_column__: ClassVar[str] = "workspace_id"


def mapped_relations() -> list[Relation]:
    """Every table that has a class, of the modules that are imported. Raises `TypeError` for one that is open."""
    classes = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}
    found = [Relation(name, mapped.__grants__, _workspace_column(mapped)) for name, mapped in sorted(classes.items())]
    require_isolation(Base.metadata.tables.values(), found)
    return found


def require_isolation(tables: Iterable[Table], relations: Iterable[Relation]) -> None:
    """Raise `TypeError` for a table whose rows belong to a workspace and are not isolated by it.

    Such a table has a column `workspace_id`, wherever that was declared, or refers to a table that is isolated.
    """
    isolated = {relation.name: relation.workspace_column for relation in relations if relation.workspace_column}
    for table in tables:
        column = isolated.get(table.name)
        referred = {key.target_fullname.partition(".")[0] for key in table.foreign_keys}
        if column is None and ("workspace_id" in table.columns or referred & isolated.keys()):
            raise TypeError(f"{table.name} has rows of workspaces: make its class a WorkspaceRow, which isolates them.")
        if column and column != "workspace_id" and "workspace_id" in table.columns:
            raise TypeError(f"{table.name} has a workspace_id, but is isolated by {column}: rename one of them.")


def _workspace_column(mapped: type[Base]) -> str | None:
    return mapped.__workspace_column__ if issubclass(mapped, WorkspaceRow) else None
