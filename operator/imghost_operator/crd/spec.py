"""The spec of an `ImageHostTenant` as models: the one source of `crds/`, of the defaults and of what `build` reads.

Every string, list and map is bounded, because the API server refuses CEL rules whose worst case is too costly.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from imghost_operator.crd.base import Part
from imghost_operator.crd.references import SecretName
from imghost_operator.crd.scheduling import Scheduling
from imghost_operator.crd.types import (
    LABEL_VALUE,
    OWN_KEYS,
    BaseUrl,
    Bytes,
    Cidr,
    Cpu,
    DnsLabel,
    Origin,
    immutable,
)
from imghost_operator.crd.workloads import Api, Imaging, Worker

DEFAULT_CLASS = "default"


class Compute(Part):
    """Compute quota."""

    cpu: Cpu = Field("8", description="Sum of the CPU requests of all pods.")
    memory: Bytes = Field("16Gi", description="Sum of the memory limits of all pods.")
    pods: int = Field(50, ge=1, le=1_000, description="Number of pods.", json_schema_extra={"format": "int32"})


class Quota(Part):
    """Quota of the tenant."""

    compute: Compute = Field(default_factory=Compute, description="ResourceQuota of the tenant's namespace.")


class Storage(Part):
    """Object store of the images."""

    backend_ref: DnsLabel = Field(
        "default",
        description="Name of an object store that the operator is configured with.",
        json_schema_extra=immutable("a tenant's images"),
    )


class Database(Part):
    """Database of the tenant."""

    instance_ref: DnsLabel = Field(
        "default",
        description="Name of a PostgreSQL instance that the operator is configured with.",
        json_schema_extra=immutable("a tenant's database"),
    )
    connection_limit: int = Field(
        90,
        ge=5,
        le=5_000,
        description="Maximum number of concurrent connections.",
        json_schema_extra={"format": "int32"},
    )


_Mark = Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)]


class Credentials(Part):
    """Generated credentials. A part is replaced when its text changes, whatever it says, for example a date."""

    database: _Mark | None = Field(None, description="Change it to replace the passwords of the database roles.")
    storage: _Mark | None = Field(None, description="Change it to replace the access key of the object store.")
    internal: _Mark | None = Field(None, description="Change it to replace the token between api and imaging.")
    signing_key: _Mark | None = Field(
        None, description="Change it to replace the key that signs sign-in tokens: everyone signs in again."
    )
    api_key_pepper: _Mark | None = Field(
        None, description="Change it to replace the pepper of API keys: EVERY API key of the tenant becomes invalid."
    )


class EgressPeer(Part):
    """One allowed destination."""

    cidr: Cidr = Field(description="Allowed addresses.")
    port: int = Field(ge=1, le=65_535, description="Allowed TCP port.", json_schema_extra={"format": "int32"})


class Network(Part):
    """Which pods may reach the tenant's, and which addresses these may reach."""

    ingress_from: tuple[DnsLabel, ...] = Field(
        (),
        max_length=20,
        description="Namespaces whose pods may reach the HTTP ports, for example the ingress controller's. None by "
        "default.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    egress_to: tuple[EgressPeer, ...] = Field(
        (),
        max_length=20,
        description="What the tenant's pods may reach in addition to what imghost needs, for example the collector "
        "of traces that env names. Nothing by default.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["cidr", "port"]},
    )


class Urls(Part):
    """Public base URLs; replies are built from these, never from request headers."""

    auth: BaseUrl | None = Field(None, description="Base URL of accounts and API keys. Default: the Service.")
    view: BaseUrl | None = Field(None, description="Base URL of images. Default: the Service.")
    cdn: BaseUrl | None = Field(None, description="Base URL of images through a CDN. Default: the same as view.")
    frontend: BaseUrl | None = Field(None, description="Base URL of a web front end whose pages may call the api.")
    origins: tuple[Origin, ...] = Field(
        (),
        max_length=20,
        description="Further origins whose pages may call the api, such as https://app.example.com (CORS).",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class PodMetadata(Part):
    """Labels and annotations for the pods of api, worker and imaging."""

    labels: Mapping[
        Annotated[str, Field(max_length=317)], Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)]
    ] = Field({}, max_length=20, description="Labels of the pods.", json_schema_extra=OWN_KEYS)
    annotations: Mapping[Annotated[str, Field(max_length=317)], Annotated[str, Field(max_length=1024)]] = Field(
        {}, max_length=20, description="Annotations of the pods.", json_schema_extra=OWN_KEYS
    )


class PullSecret(Part):
    """A Secret that images are pulled with."""

    name: SecretName = Field(description="Name of a Secret of the type kubernetes.io/dockerconfigjson.")


class ServiceAccount(Part):
    """The service accounts of the pods."""

    annotations: Mapping[Annotated[str, Field(max_length=317)], Annotated[str, Field(max_length=1024)]] = Field(
        {},
        max_length=20,
        description="Annotations of the service accounts, which give identities in clouds.",
        json_schema_extra=OWN_KEYS,
    )


class Spec(Part):
    """The desired state of a tenant."""

    display_name: str | None = Field(None, max_length=63, description="Display name; an annotation of the namespace.")
    paused: bool = Field(default=False, description="While true, the operator changes nothing.")
    operator_class: DnsLabel = Field(
        DEFAULT_CLASS,
        description="Class of the operator that manages the tenant; operators of other classes leave it alone.",
    )
    deletion_policy: Literal["Retain", "Delete"] = Field(
        "Retain", description="Retain keeps images and database when the tenant is deleted; Delete deletes them."
    )
    api: Api = Field(default_factory=Api, description="The service for accounts, API keys, uploads and the library.")
    worker: Worker = Field(
        default_factory=Worker, description="The process that runs jobs and delivers events, with the api's image."
    )
    imaging: Imaging = Field(default_factory=Imaging, description="The service that checks and delivers images.")
    quota: Quota = Field(default_factory=Quota, description="Quota of the tenant.")
    storage: Storage = Field(default_factory=Storage, description="Object store of the images.")
    database: Database = Field(default_factory=Database, description="Database of the tenant.")
    credentials: Credentials = Field(
        default_factory=Credentials, description="Change a part of it to replace these credentials."
    )
    network: Network = Field(
        default_factory=Network, description="Which pods may reach the tenant's, and which addresses these may reach."
    )
    urls: Urls = Field(default_factory=Urls, description="Public base URLs.")
    pod_metadata: PodMetadata = Field(
        default_factory=PodMetadata, description="Labels and annotations for the pods of api, worker and imaging."
    )
    scheduling: Scheduling | None = Field(
        None, description="Where all pods of the tenant run, those of migrations too. A workload may replace it."
    )
    image_pull_secrets: tuple[PullSecret, ...] = Field(
        (),
        max_length=10,
        description="Secrets in the tenant's namespace that images are pulled with, besides the operator's.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    service_account: ServiceAccount = Field(
        default_factory=ServiceAccount, description="The service accounts of the pods."
    )
