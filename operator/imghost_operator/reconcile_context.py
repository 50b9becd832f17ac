"""The state of one pass over one tenant."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from imghost_operator import tenant_objects
from imghost_operator.build_inputs import BuildInputs
from imghost_operator.built_object import BuiltObject, Requirement
from imghost_operator.crd import Spec
from imghost_operator.errors import Problem
from imghost_operator.platform import Object, ObjectRef, owned_by
from imghost_operator.progress import is_done
from imghost_operator.provision.recovery import Recovered
from imghost_operator.reasons import Reason
from imghost_operator.reconcile_state import Area

FINALIZER = "imghost.dev/external-data"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows a pass: another one after a number of seconds, or only when something changes (None)."""

    requeue_after: float | None = None


@dataclass(slots=True)
class ReconcileContext:
    """One pass over one tenant: what it observed, and the problems it met."""

    tenant: Object
    live: dict[ObjectRef, Object]
    spec: Spec | None = None
    inputs: BuildInputs | None = None
    desired: list[BuiltObject] = field(default_factory=list)
    provisioned: frozenset[str] = frozenset()
    """Requirements (`database`, `storage`) whose backend knows the tenant's credentials."""
    makes_namespace: bool = True
    problems: dict[ObjectRef | Area, Problem] = field(default_factory=dict)
    deletion: tuple[Reason, str] | None = None
    recovered: Recovered | None = None
    unknown_fields: tuple[str, ...] = ()
    paused: list[float] = field(default_factory=list)
    """Seconds until objects may be written again that something else keeps changing."""

    @property
    def migrated(self) -> frozenset[str]:
        """The migration Jobs of which the status says that they are complete; they may be deleted."""
        return frozenset(((self.tenant.get("status") or {}).get("migrations") or {}).values())

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
        """Whether objects can be created in it: it exists, is ours or meant to be others', and is not being deleted."""
        found = self.namespace
        if found is None or found["metadata"].get("deletionTimestamp"):
            return False
        return owned_by(found, self.uid) or not self.makes_namespace

    @property
    def is_begun(self) -> bool:
        """Whether any object of the tenant exists."""
        return any(owned_by(obj, self.uid) for obj in self.live.values())

    def applicable(self, kinds: Collection[str]) -> list[BuiltObject]:
        """What of these kinds may be written: everything that it requires holds.

        What has to wait stays as it is: a Deployment keeps running its release while a migration runs.
        """
        candidates = [built for built in self.desired if built.kind in kinds]
        candidates = [built for built in candidates if built.ref in self.live or built.ref.name not in self.migrated]
        required = {requirement for built in candidates for requirement in built.requires}
        met = {requirement for requirement in required if self._holds(requirement)}
        return [built for built in candidates if built.requires <= met]

    def _holds(self, requirement: Requirement) -> bool:
        providers = [built for built in self.desired if built.provides is requirement]
        if not providers:
            return requirement in self.provisioned
        return all(is_done(built, self.live.get(built.ref), self.migrated) for built in providers)
