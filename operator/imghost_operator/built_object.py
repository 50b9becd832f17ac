"""An object as it was built, with what must hold before it may be written; only the manifest reaches the platform."""

from dataclasses import dataclass
from enum import StrEnum

from imghost_operator.platform import Object, ObjectRef


class Requirement(StrEnum):
    """A fact about the tenant that objects wait for."""

    DATABASE = "database"
    """The database server knows the credentials that the Secrets contain."""
    STORAGE = "storage"
    """The object store knows the credentials that the Secret contains."""
    EXPANDED_SCHEMA = "expanded schema"
    """The pre migration of this release is complete."""
    ROLLOUT = "rollout"
    """Every pod of every Deployment belongs to this release."""
    CONTRACTED_SCHEMA = "contracted schema"
    """The post migration of this release is complete."""


@dataclass(frozen=True, slots=True)
class BuiltObject:
    """A manifest, what it `requires`, and what is met once it and all others with the same `provides` are done.

    `admitted` is the form in which it is stored where admission webhooks change it.
    """

    manifest: Object
    requires: frozenset[Requirement] = frozenset()
    provides: Requirement | None = None
    admitted: Object | None = None

    @property
    def expected(self) -> Object:
        """What the stored object is compared with."""
        return self.admitted or self.manifest

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef.of(self.manifest)

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])
