"""What reconcile asks of a database server and of an object store; each has more than one real implementation."""

from collections.abc import Mapping
from typing import Protocol

from imghost_operator.build_inputs import Database, Role, Store, StoreUser

Passwords = Mapping[Role, str]
StoreSecrets = Mapping[StoreUser, str]


class Backend(Protocol):
    """A system outside the cluster that may be unreachable."""

    async def check(self) -> None:
        """Raise `BackendDown` unless it responds to the operator."""

    async def inventory(self) -> Mapping[str, str]:
        """What exists for all tenants, in one request: name and identity. Raises `BackendDown`, `BackendRefused`."""

    async def revoke(self, tenant: str) -> None:
        """Every credential of the tenant stops working; data stays. Already revoked is fine."""


class DatabaseBackend(Backend, Protocol):
    """A PostgreSQL server that holds one database a tenant."""

    def describe(self, tenant: str, passwords: Passwords) -> Database:
        """What `ensure` creates, derived without a request to the server."""

    async def ensure(self, tenant: str, passwords: Passwords, connection_limit: int) -> Database:
        """Make database and roles as described, whatever exists already, and sign in as each role.

        The result has the `identity` of the database. Raises `BackendDown`, `BackendRefused`.
        """

    async def drop(self, tenant: str) -> None:
        """Delete database and roles, closing open connections. Already deleted is fine."""


class StoreBackend(Backend, Protocol):
    """An object store in which a tenant owns everything below `<tenant>/`."""

    def describe(self, tenant: str, secrets: StoreSecrets) -> Store:
        """What `ensure` creates, derived without a request to the store."""

    async def ensure(self, tenant: str, secrets: StoreSecrets) -> Store:
        """Make the prefix and keys that reach nothing else, and use each; raises `BackendDown`, `BackendRefused`.

        Only the api's key may delete.
        """

    async def empty(self, tenant: str) -> None:
        """Delete everything below the tenant's prefix."""
