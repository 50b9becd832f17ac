"""The inputs of `build` in addition to the spec: everything from outside, so that `build` itself is pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["owner", "api", "imaging"]
StoreUser = Literal["api", "imaging"]
"""Who has an access key of its own: api (with the worker), which may delete objects, and imaging, which may not."""
Port = Literal["auth", "upload", "view", "internal"]
"""Names of the Services' ports."""


@dataclass(frozen=True, slots=True)
class Database:
    """A tenant's database: its name, its three roles and how each connects."""

    instance: str
    name: str
    roles: Mapping[Role, str]
    urls: Mapping[Role, str] = field(repr=False)
    hosts: tuple[tuple[str, int], ...]
    """Host and port of each server that the URLs name."""
    networks: tuple[str, ...] = ()
    """CIDRs where it is reached; empty: derived from the hosts."""
    ca: str = ""
    """Certificates (PEM) of the servers' authority, for the pods; empty: they have it, or need none."""
    identity: str = ""
    """Given to the database when it is created: another identity means another, empty database."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key of an object store."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Store:
    """A tenant's prefix in an object store: public settings of the pods, and their keys; a folder has no keys."""

    backend: str
    bucket: str
    prefix: str
    config: Mapping[str, str]
    keys: Mapping[StoreUser, AccessKey] = field(default_factory=dict)
    networks: tuple[str, ...] = ()
    """CIDRs where it is reached; empty: derived from `S3_ENDPOINT`."""
    ca: str = ""
    """Certificates (PEM) of its authority, for the pods; empty: they have it, or need none."""


@dataclass(frozen=True, slots=True)
class Signing:
    """Secrets that are generated once per tenant."""

    jwt_private_key: str = field(repr=False)
    api_key_pepper: str = field(repr=False)
    internal_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Release:
    """Which images an operator of this version rolls out."""

    version: str
    api_image: str
    imaging_image: str
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    registries: str = field(default="", repr=False)
    """Docker configuration with credentials for the images' registries; empty where none are needed."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What differs between clusters.

    `dns_namespace` and `dns_port` are where the pods of the name servers are, and their port. `assigns_user_ids` says
    that the cluster gives each namespace user ids of its own, as OpenShift does, so that pods must not ask for one.
    """

    dns_namespace: str = "kube-system"
    dns_port: int = 53
    assigns_user_ids: bool = False


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """All inputs. `endpoints` has the base URLs of the Service ports `auth`, `upload`, `view` and `internal`."""

    release: Release
    signing: Signing
    database: Database
    store: Store
    endpoints: Mapping[Port, str]
    cluster: ClusterFacts = ClusterFacts()
