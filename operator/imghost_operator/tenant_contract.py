"""Names and numbers on which the operator, the local platform and the tools must agree."""

from collections.abc import Mapping
from typing import NamedTuple

from imghost_operator.build_inputs import Port, Role, Store, StoreUser

HTTP_PORT, OPS_PORT = 8080, 9090
"""What the containers of a tenant listen on."""


class ServicePort(NamedTuple):
    """A port of a Service: its number, and the name of the container's port behind it."""

    service: str
    number: int
    target: str


PORTS: Mapping[Port, ServicePort] = {
    "auth": ServicePort("api", 5001, "http"),
    "upload": ServicePort("api", 5002, "http"),
    "view": ServicePort("imaging", 5003, "http"),
    "internal": ServicePort("imaging", OPS_PORT, "ops"),
}
"""Every port of a tenant's Services, by its name."""
SERVICES = frozenset(port.service for port in PORTS.values())
"""The components that have a Service."""
PUBLIC_PORTS: Mapping[Port, ServicePort] = {name: port for name, port in PORTS.items() if port.target == "http"}
"""Those that clients use."""


def in_cluster_url(namespace: str, name: Port) -> str:
    """The base URL of a port as pods of the cluster use it."""
    port = PORTS[name]
    return f"http://{port.service}.{namespace}.svc:{port.number}"


CA_FOLDER, DATABASE_CA, STORE_CA = "/etc/imghost/ca", "database.crt", "store.crt"
"""Where pods find the certificates of the backends' authorities, and the names of the files."""
# Secrets and the variables that they hold for the containers.
DATABASE_SECRETS: Mapping[Role, str] = {
    "owner": "database-owner",
    "api": "database-api",
    "imaging": "database-imaging",
}
STORAGE_SECRETS: Mapping[StoreUser, str] = {"api": "storage", "imaging": "storage-imaging"}
REGISTRIES_SECRET = "registries"  # noqa: S105 - the name of one
"""What images are pulled with; there only when the operator was given credentials."""
PULL_SECRETS_ANNOTATION = "imghost.dev/pull-secrets"
"""Annotation of a service account: the pull secrets of the spec, so that one that is dropped is known to be ours."""
SIGNING_SECRET, INTERNAL_SECRET = "api-signing", "internal"
DATABASE_URL = "DATABASE_URL"
S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY = "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"
JWT_PRIVATE_KEY, API_KEY_PEPPER, INTERNAL_TOKEN = "JWT_PRIVATE_KEY", "API_KEY_PEPPER", "INTERNAL_TOKEN"


def store_variables(store: Store, user: StoreUser) -> dict[str, str]:
    """The secret part of a user's settings of the store; empty for a store without keys."""
    key = store.keys.get(user)
    return {S3_ACCESS_KEY_ID: key.id, S3_SECRET_ACCESS_KEY: key.secret} if key else {}
