"""Where a tenant's objects live: a Kubernetes cluster, or processes on this machine. `reconcile` sees only this."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

Object = dict[str, Any]


class Key(NamedTuple):
    """What names an object. Cluster-scoped kinds have an empty namespace."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> "Key":
        """The key of a manifest."""
        metadata = obj["metadata"]
        return cls(obj["kind"], metadata.get("namespace", ""), metadata["name"])


class Platform(Protocol):
    """The door that `reconcile` acts through. Failures to reach it are `imghost_operator.errors.PlatformDown`."""

    enforces: frozenset[str]
    """Kinds whose meaning holds here; a kind that is missing is stored and reported, not enforced."""

    def children(self, tenant: str) -> dict[Key, Object]:
        """The live objects of a tenant, from a cache that watches keep current: costs no call."""

    def endpoint(self, namespace: str, service: str, port_name: str, port: int) -> str:
        """The base URL by which processes here reach a port of a Service; the same before and after it exists."""

    async def apply(self, desired: Object, live: Object | None) -> Object:
        """Make one object what `desired` says (server-side apply under our field manager); returns it as stored."""

    async def delete(self, live: Object) -> None:
        """Delete exactly this object (same uid); already gone is fine."""

    async def write_status(self, tenant: Object, status: Mapping[str, Any]) -> None:
        """Replace the tenant's status."""

    async def set_finalizers(self, tenant: Object, finalizers: list[str]) -> None:
        """Replace the tenant's finalizers; fails if the tenant changed meanwhile."""

    async def event(self, tenant: Object, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Tell people watching the tenant of a state transition."""
