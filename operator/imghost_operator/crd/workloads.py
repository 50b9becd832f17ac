"""The parts of the spec that describe api, worker and imaging: pods, autoscaling, resources."""

from typing import Literal

from pydantic import ConfigDict, Field

from imghost_operator.crd.base import Part
from imghost_operator.crd.references import EnvVar, Volume
from imghost_operator.crd.scheduling import Scheduling
from imghost_operator.crd.types import Bytes, Cpu, not_above, rules


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
                "minReplicas must not be above maxReplicas; lower minReplicas or raise maxReplicas",
            )
        )
    )

    enabled: bool = Field(default=True, description="False turns autoscaling off and keeps its settings.")
    min_replicas: int = Field(
        2, ge=1, le=200, description="Minimum number of pods.", json_schema_extra={"format": "int32"}
    )
    max_replicas: int = Field(
        ge=1, le=200, description="Maximum number of pods.", json_schema_extra={"format": "int32"}
    )
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
    scheduling: Scheduling | None = Field(
        None, description="Where the pods run, in place of all of spec.scheduling. That of api is for migrations too."
    )
    volumes: tuple[Volume, ...] = Field(
        (),
        max_length=10,
        description="ConfigMaps and Secrets of the tenant's namespace that pods read as files, below /mnt.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )

    @property
    def autoscaler(self) -> Autoscaling | None:
        """The autoscaling that is on."""
        return self.autoscaling if self.autoscaling and self.autoscaling.enabled else None

    @property
    def fewest_replicas(self) -> int:
        """The fewest pods that the service has."""
        return self.autoscaler.min_replicas if self.autoscaler else self.replicas

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
        description="Maximum number of pixels of an image: width x height x frames.",
        json_schema_extra={"format": "int64"},
    )
    max_input_bytes: Bytes = Field("50Mi", description="Maximum size of a file.")
    max_frames: int = Field(
        300,
        ge=1,
        le=5_000,
        description="Maximum number of frames of an animation.",
        json_schema_extra={"format": "int32"},
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


class Metadata(Part):
    """Metadata of originals: location, camera, names, texts, embedded previews."""

    policy: Literal["strip", "keep", "owner"] = Field(
        "strip",
        description="strip: never delivered. owner: delivered only to the workspace's own download. keep: delivered to "
        "everyone. A workspace may choose another policy.",
    )
    keep_copyright: bool = Field(default=False, description="Keep copyright notices when metadata is removed.")


class Imaging(Workload):
    """The imaging service."""

    resources: _ImagingResources = Field(default_factory=_ImagingResources, description="CPU and memory of each pod.")
    limits: Limits = Field(default_factory=Limits, description="Limits of accepted uploads.")
    metadata: Metadata = Field(default_factory=Metadata, description="What happens to the metadata of originals.")
