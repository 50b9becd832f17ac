"""The spec of an `ImageHostTenant` as models: the one source of `crds/`, of the defaults and of what `build` reads.

Every string, list and map is bounded, because the API server refuses CEL rules whose worst case is too costly.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from imghost_operator.crd.types import (
    LABEL_VALUE,
    OWN_KEYS,
    RESERVED_ENV,
    BaseUrl,
    Bytes,
    Cidr,
    Cpu,
    DnsLabel,
    immutable,
    not_above,
    rules,
)


class Part(BaseModel):
    """A part of the resource: camelCase outside, nothing unknown accepted."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class EnvVar(Part):
    """One environment variable, taken literally."""

    name: str = Field(
        min_length=1,
        max_length=128,
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of the variable.",
        json_schema_extra=rules(
            (
                f"!(self in {list(RESERVED_ENV)!r})",
                "is set by the operator; use the field of the spec that stands for it",
            )
        ),
    )
    value: str = Field(
        "",
        max_length=4096,
        description="Value of the variable, taken literally.",
        json_schema_extra=rules(
            ("!self.contains('$(')", "must not contain $(: references to other variables are not expanded")
        ),
    )


class Amounts(Part):
    """CPU and memory."""

    cpu: Cpu | None = Field(None, description="CPU, for example 500m or 2.")
    memory: Bytes | None = Field(None, description="Memory, for example 512Mi.")


class _ApiRequests(Amounts):
    cpu: Cpu = Field("100m", description="CPU request of each pod.")
    memory: Bytes = Field("192Mi", description="Memory request of each pod.")


class _ApiLimits(Amounts):
    memory: Bytes = Field("512Mi", description="Memory limit of each pod.")


class _WorkerRequests(Amounts):
    cpu: Cpu = Field("50m", description="CPU request of each pod.")
    memory: Bytes = Field("128Mi", description="Memory request of each pod.")


class _ImagingRequests(Amounts):
    cpu: Cpu = Field("250m", description="CPU request of each pod.")
    memory: Bytes = Field("256Mi", description="Memory request of each pod.")


class _ImagingLimits(Amounts):
    memory: Bytes = Field("1Gi", description="Memory limit of each pod.")


class Resources(Part):
    """Requests and limits of each pod."""

    model_config = ConfigDict(json_schema_extra=rules(not_above("cpu"), not_above("memory")))

    requests: Amounts = Field(description="Requests of each pod.")
    limits: Amounts = Field(description="Limits of each pod. No CPU limit means no throttling.")


class _ApiResources(Resources):
    requests: _ApiRequests = Field(default_factory=_ApiRequests, description="Requests of each pod.")
    limits: _ApiLimits = Field(
        default_factory=_ApiLimits, description="Limits of each pod. No CPU limit means no throttling."
    )


class _WorkerResources(Resources):
    requests: _WorkerRequests = Field(default_factory=_WorkerRequests, description="Requests of each pod.")
    limits: _ApiLimits = Field(
        default_factory=_ApiLimits, description="Limits of each pod. No CPU limit means no throttling."
    )


class _ImagingResources(Resources):
    requests: _ImagingRequests = Field(default_factory=_ImagingRequests, description="Requests of each pod.")
    limits: _ImagingLimits = Field(
        default_factory=_ImagingLimits, description="Limits of each pod. No CPU limit means no throttling."
    )


class Autoscaling(Part):
    """Horizontal autoscaling."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.minReplicas <= self.maxReplicas",
                "minReplicas must not be above maxReplicas; lower the one or raise the other",
            )
        )
    )

    enabled: bool = Field(default=True, description="False keeps the numbers here without using them.")
    min_replicas: int = Field(2, ge=1, le=200, description="Minimum of pods.", json_schema_extra={"format": "int32"})
    max_replicas: int = Field(ge=1, le=200, description="Maximum of pods.", json_schema_extra={"format": "int32"})
    target_cpu_percent: int = Field(
        70,
        alias="targetCPUPercent",
        ge=1,
        le=1_000,
        description="Target for the average CPU of the pods, in percent of their request.",
        json_schema_extra={"format": "int32"},
    )


class Workload(Part):
    """One scaled service."""

    replicas: int = Field(
        2,
        ge=0,
        le=200,
        description="Number of pods; ignored while autoscaling is on.",
        json_schema_extra={"format": "int32"},
    )
    autoscaling: Autoscaling | None = Field(
        None, description="Horizontal autoscaling; needs the cluster's metrics server."
    )
    resources: Resources = Field(description="CPU and memory of each pod.")
    image: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        pattern="^[A-Za-z0-9][A-Za-z0-9._/:@-]*$",
        description="Container image instead of the operator's; name it by digest so that it cannot change.",
    )
    env: tuple[EnvVar, ...] = Field(
        (),
        max_length=50,
        description="Environment variables in addition to those the operator sets.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )

    @property
    def autoscaler(self) -> Autoscaling | None:
        """The autoscaling that is on."""
        return self.autoscaling if self.autoscaling and self.autoscaling.enabled else None

    @property
    def most_replicas(self) -> int:
        """The most pods that the service may have."""
        return self.autoscaler.max_replicas if self.autoscaler else self.replicas


class Api(Workload):
    """The api service."""

    resources: _ApiResources = Field(default_factory=_ApiResources, description="CPU and memory of each pod.")


class Worker(Workload):
    """The worker: runs jobs and delivers events; serves no requests."""

    replicas: int = Field(
        1,
        ge=0,
        le=200,
        description="Number of pods; ignored while autoscaling is on. With 0, jobs and events wait.",
        json_schema_extra={"format": "int32"},
    )
    resources: _WorkerResources = Field(default_factory=_WorkerResources, description="CPU and memory of each pod.")


class Limits(Part):
    """Limits of accepted uploads."""

    max_pixels: int = Field(
        100_000_000,
        ge=1,
        le=1_000_000_000,
        description="Largest image: width x height x frames.",
        json_schema_extra={"format": "int64"},
    )
    max_input_bytes: Bytes = Field("50Mi", description="Largest file.")
    max_frames: int = Field(
        300, ge=1, le=5_000, description="Maximum of frames of an animation.", json_schema_extra={"format": "int32"}
    )
    concurrency: int = Field(
        2,
        ge=1,
        le=64,
        description="Images that one pod processes concurrently.",
        json_schema_extra={"format": "int32"},
    )
    formats: tuple[Literal["jpeg", "png", "gif", "webp", "avif"], ...] = Field(
        ("jpeg", "png", "gif", "webp"),
        min_length=1,
        max_length=5,
        description="Formats that may be uploaded. AVIF is off unless listed.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class Imaging(Workload):
    """The imaging service."""

    resources: _ImagingResources = Field(default_factory=_ImagingResources, description="CPU and memory of each pod.")
    limits: Limits = Field(default_factory=Limits, description="Limits of accepted uploads.")


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
        description="Name of an object store that the operator knows.",
        json_schema_extra=immutable("a tenant's images"),
    )


class Database(Part):
    """Database of the tenant."""

    instance_ref: DnsLabel = Field(
        "default",
        description="Name of a PostgreSQL instance that the operator knows.",
        json_schema_extra=immutable("a tenant's database"),
    )
    connection_limit: int = Field(
        90, ge=5, le=5_000, description="Maximum of concurrent connections.", json_schema_extra={"format": "int32"}
    )


class EgressPeer(Part):
    """One allowed destination."""

    cidr: Cidr = Field(description="Allowed addresses.")
    port: int = Field(ge=1, le=65_535, description="TCP port there.", json_schema_extra={"format": "int32"})


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

    auth: BaseUrl | None = Field(None, description="Of registration, login and keys. Default: inside the cluster.")
    view: BaseUrl | None = Field(None, description="Of images. Default: inside the cluster.")
    cdn: BaseUrl | None = Field(None, description="Of images through a CDN. Default: the same as view.")
    frontend: BaseUrl | None = Field(None, description="Of a web front end whose pages may call the api.")


class PodMetadata(Part):
    """Labels and annotations for the pods of api, worker and imaging."""

    labels: Mapping[
        Annotated[str, Field(max_length=317)], Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)]
    ] = Field({}, max_length=20, description="Labels of the pods.", json_schema_extra=OWN_KEYS)
    annotations: Mapping[Annotated[str, Field(max_length=317)], Annotated[str, Field(max_length=1024)]] = Field(
        {}, max_length=20, description="Annotations of the pods.", json_schema_extra=OWN_KEYS
    )


class Spec(Part):
    """The desired state of a tenant."""

    display_name: str | None = Field(None, max_length=63, description="Display name; an annotation of the namespace.")
    paused: bool = Field(default=False, description="While true, the operator changes nothing.")
    deletion_policy: Literal["Retain", "Delete"] = Field(
        "Retain", description="Whether images and database outlive the tenant."
    )
    api: Api = Field(default_factory=Api, description="The service for accounts, API keys, uploads and the library.")
    worker: Worker = Field(
        default_factory=Worker, description="The process that runs jobs and delivers events, with the api's image."
    )
    imaging: Imaging = Field(default_factory=Imaging, description="The service that checks and delivers images.")
    quota: Quota = Field(default_factory=Quota, description="Quota of the tenant.")
    storage: Storage = Field(default_factory=Storage, description="Object store of the images.")
    database: Database = Field(default_factory=Database, description="Database of the tenant.")
    network: Network = Field(
        default_factory=Network, description="Which pods may reach the tenant's, and which addresses these may reach."
    )
    urls: Urls = Field(default_factory=Urls, description="Public base URLs.")
    pod_metadata: PodMetadata = Field(
        default_factory=PodMetadata, description="Labels and annotations for the pods of api, worker and imaging."
    )
