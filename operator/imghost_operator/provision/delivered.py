"""Whether the tenant's Secrets were written for the backends as they are described now. Pure.

They are written only after a backend was provisioned, so equality proves that it was: for this server, host, bucket and
access key, and with these passwords.
"""

from collections.abc import Mapping

from imghost_operator.build_inputs import Database, Store
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.provision.credentials import decode
from imghost_operator.tenant_contract import DATABASE_SECRETS, DATABASE_URL, STORAGE_SECRETS, store_variables
from imghost_operator.tenant_objects.meta import BACKEND_ANNOTATION, digest, namespace_of


def has_database(tenant: str, live: Mapping[ObjectRef, Object], database: Database) -> bool:
    """Every role's Secret has the described URL."""
    return all(
        (found := _secret(tenant, live, secret)) is not None and decode(found).get(DATABASE_URL) == database.urls[role]
        for role, secret in DATABASE_SECRETS.items()
    )


def has_store(tenant: str, live: Mapping[ObjectRef, Object], store: Store) -> bool:
    """Every user's Secret has the described access key, and was written for the described endpoint and bucket."""
    written_for = digest(store.config)
    return all(
        (found := _secret(tenant, live, secret)) is not None
        and decode(found) == store_variables(store, user)
        and (found["metadata"].get("annotations") or {}).get(BACKEND_ANNOTATION) == written_for
        for user, secret in STORAGE_SECRETS.items()
    )


def _secret(tenant: str, live: Mapping[ObjectRef, Object], name: str) -> Object | None:
    return live.get(ObjectRef("Secret", namespace_of(tenant), name))
