"""The platform of a tenant's objects: a cluster, or processes on this machine. `reconcile` uses only this."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

from imghost_operator.errors import NotOwned
from imghost_operator.reasons import Reason

Object = dict[str, Any]


class ObjectRef(NamedTuple):
    """The identity of an object. Cluster-scoped kinds have an empty namespace."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> "ObjectRef":
        """The key of a manifest."""
        metadata = obj["metadata"]
        return cls(obj["kind"], metadata.get("namespace", ""), metadata["name"])


class Platform(Protocol):
    """The interface that `reconcile` acts through.

    Failures are those of `imghost_operator.errors`: `PlatformDown` (wait), `PlatformRefused` (needs a person),
    `StaleObject` (another pass).
    """

    enforces: frozenset[str]
    """Kinds that take effect here; other kinds are stored and reported, not enforced."""

    @property
    def makes_namespaces(self) -> bool:
        """Whether the operator creates and deletes the tenants' namespaces; otherwise it only reads them."""

    def children(self, tenant: str) -> dict[ObjectRef, Object]:
        """The live objects of a tenant, from a cache that watches keep current: costs no call.

        Raises `NamespaceNotListed`, `NamespaceMissing` or `PlatformRefused` when its namespace cannot be read.
        """

    def endpoint(self, namespace: str, service: str, port_name: str, port: int) -> str:
        """The base URL by which processes here reach a port of a Service; the same before and after it exists."""

    @property
    def namespace(self) -> str:
        """The operator's own namespace, where the recovery Secrets are."""

    async def read(self, ref: ObjectRef) -> Object | None:
        """An object as it is stored now, whatever the cache says; None when it does not exist."""

    async def create(self, obj: Object) -> Object:
        """Make a new object; raises `StaleObject` if there is one of this name."""

    async def merge(self, live: Object, change: Object) -> Object:
        """Merge `change` into exactly this version of an object; raises `StaleObject` if there is a newer one."""

    async def apply(self, desired: Object, live: Object | None) -> Object:
        """Make one object what `desired` says (server-side apply under our field manager); returns it as stored.

        Raises `NotOwned` when an object of this name exists without the owner that `desired` names.
        """

    async def delete(self, live: Object) -> None:
        """Delete exactly this object (same uid) and its dependents; already deleted is fine.

        It stays among the children, with a `deletionTimestamp`, until its processes have ended.
        """

    async def write_status(self, tenant: Object, status: Mapping[str, Any]) -> None:
        """Replace the tenant's status. Raises `TenantGone`."""

    async def set_finalizers(self, tenant: Object, finalizers: list[str]) -> None:
        """Replace the tenant's finalizers. Raises `StaleObject` if they differ from those of `tenant`, `TenantGone`."""

    async def event(self, tenant: Object, kind: Literal["Normal", "Warning"], reason: Reason, message: str) -> None:
        """Post an event about the tenant. Never raises: a lost event changes nothing."""


def owned_by(obj: Object, uid: str) -> bool:
    """Whether an object has the owner with this uid; a name or a label alone proves nothing."""
    return any(owner.get("uid") == uid for owner in obj["metadata"].get("ownerReferences", ()))


def check_owner(live: Object, uid: str) -> None:
    """Raise `NotOwned` unless `live` belongs to the tenant with this uid."""
    if not owned_by(live, uid):
        key = ObjectRef.of(live)
        raise NotOwned(
            f"{key.kind} {key.name} exists but does not belong to this tenant, so it is not touched. "
            "To let the operator create its own, delete it."
        )
