"""What one pass over one tenant knows and finds out."""

from dataclasses import dataclass, field
from datetime import datetime

from imghost_core.errors import ImghostError
from imghost_operator import tenant_objects
from imghost_operator.build_inputs import BuildInputs
from imghost_operator.conditions import migration_state
from imghost_operator.crd import Spec
from imghost_operator.platform import Object, ObjectRef, owned_by

FINALIZER = "imghost.dev/external-data"
_AFTER_MIGRATION = frozenset({"Deployment"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass leaves to do: look again after so many seconds, or only when something changes (None)."""

    requeue_after: float | None = None


@dataclass(slots=True)
class ReconcileContext:
    """One pass over one tenant: what was found, and what came of it."""

    tenant: Object
    live: dict[ObjectRef, Object]
    spec: Spec | None = None
    inputs: BuildInputs | None = None
    desired: list[Object] = field(default_factory=list)
    ready: frozenset[str] = frozenset()
    """Parts (`database`, `storage`) whose credentials are known to their backend."""
    makes_namespace: bool = True
    problems: dict[ObjectRef | str, ImghostError] = field(default_factory=dict)
    deletion: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        return str(self.tenant["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.tenant["metadata"]["uid"])

    @property
    def finalizers(self) -> list[str]:
        return list(self.tenant["metadata"].get("finalizers") or ())

    @property
    def deleting_since(self) -> datetime | None:
        stamp = self.tenant["metadata"].get("deletionTimestamp")
        return datetime.fromisoformat(stamp) if stamp else None

    @property
    def namespace(self) -> Object | None:
        return self.live.get(ObjectRef("Namespace", "", tenant_objects.namespace_of(self.name)))

    @property
    def namespace_is_usable(self) -> bool:
        """Whether objects can be made in it: it is there, ours unless others make it, and not on its way out."""
        found = self.namespace
        if found is None or found["metadata"].get("deletionTimestamp"):
            return False
        return owned_by(found, self.uid) or not self.makes_namespace

    @property
    def is_begun(self) -> bool:
        """Whether there is anything of the tenant's own yet."""
        return any(owned_by(obj, self.uid) for obj in self.live.values())

    @property
    def migration(self) -> ObjectRef | None:
        """The migration Job of what is desired."""
        return next((ObjectRef.of(obj) for obj in self.desired if obj["kind"] == "Job"), None)

    def has_to_wait(self, obj: Object) -> bool:
        """Whether an object must not be written yet: its credentials are not provisioned, or the schema is not there.

        A Deployment that exists keeps running as it is while a new migration runs.
        """
        kind, name = obj["kind"], obj["metadata"]["name"]
        if kind == "Secret" and name == "storage":
            return "storage" not in self.ready
        if kind == "Job" or (kind == "Secret" and name.startswith("database-")):
            return "database" not in self.ready
        if kind in _AFTER_MIGRATION:
            job = self.live.get(self.migration) if self.migration else None
            return not ({"database", "storage"} <= self.ready and migration_state(job) == "done")
        return False
