"""The status of an `ImageHostTenant` as models: small, and without anything that changes by itself."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from imghost_operator.crd.spec import Part

ConditionType = Literal[
    "Ready",
    "NamespaceReady",
    "SecretsReady",
    "StorageReady",
    "DatabaseReady",
    "NetworkReady",
    "SchemaReady",
    "SchemaContracted",
    "WorkloadsAvailable",
    "WorkerAvailable",
    "Progressing",
    "Paused",
    "Deleting",
    "Enforced",
    "Autoscaled",
]
MAX_MESSAGE = 512

_Name = Annotated[str, Field(max_length=253)]
_Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
_Generation = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]


class _StatusPart(Part):
    """A part of the status: None is left out, and what another release wrote in addition is ignored."""

    model_config = ConfigDict(extra="ignore")


class Condition(_StatusPart):
    """One thing that is true, false or not known yet."""

    type: ConditionType = Field(description="What this is about.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(
        min_length=1, max_length=128, pattern="^[A-Za-z][A-Za-z0-9]*$", description="Why, in one CamelCase word."
    )
    message: str = Field(max_length=MAX_MESSAGE, description="Why, for people, and what to do.")
    observed_generation: _Generation = Field(description="Generation of the spec that this describes.")
    last_transition_time: datetime = Field(description="When status last changed.")


class WorkloadStatus(_StatusPart):
    """Pods of one service."""

    desired: _Count = Field(description="Pods asked for.")
    current: _Count = Field(description="Pods that exist.")
    ready: _Count = Field(description="Pods that answer.")
    updated: _Count = Field(description="Pods of the latest template.")


class StorageStatus(_StatusPart):
    """Where images are stored."""

    backend: _Name = Field(description="Object store.")
    bucket: _Name = Field(description="Bucket.")
    prefix: _Name = Field(description="What every key of the tenant starts with.")
    key_id: _Name = Field(description="Access key restricted to the prefix.")


class DatabaseStatus(_StatusPart):
    """Where rows are kept."""

    instance: _Name = Field(description="PostgreSQL instance.")
    name: _Name = Field(description="Database.")
    role: _Name = Field(description="Owner of the database; it runs the migrations.")


class ObjectsStatus(_StatusPart):
    """The tenant's Kubernetes objects."""

    desired: _Count = Field(description="Objects that belong to the tenant.")
    applied: _Count = Field(description="Of these, how many are in the cluster as desired.")


class LastError(_StatusPart):
    """What went wrong in the last pass; absent when nothing did."""

    reason: str = Field(min_length=1, max_length=128, description="What went wrong, in one CamelCase word.")
    message: str = Field(max_length=MAX_MESSAGE, description="What went wrong, for people, and what to do.")
    since: datetime = Field(description="When it began.")


class Status(_StatusPart):
    """What the operator found and did."""

    observed_generation: _Generation | None = Field(None, description="Generation of the spec that this speaks of.")
    conditions: tuple[Condition, ...] | None = Field(
        None,
        max_length=16,
        description="What holds; Ready is the summary.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    namespace: _Name | None = Field(None, description="Namespace of the tenant.")
    url: _Name | None = Field(None, description="Base URL of images.")
    version: _Name | None = Field(None, description="Version of imghost that runs.")
    selector: _Name | None = Field(None, description="Label selector of the api's pods, for autoscalers.")
    api: WorkloadStatus | None = Field(None, description="Pods of the api.")
    worker: WorkloadStatus | None = Field(None, description="Pods of the worker.")
    imaging: WorkloadStatus | None = Field(None, description="Pods of imaging.")
    storage: StorageStatus | None = Field(None, description="Where images are stored.")
    database: DatabaseStatus | None = Field(None, description="Where rows are kept.")
    objects: ObjectsStatus | None = Field(None, description="The tenant's Kubernetes objects.")
    last_error: LastError | None = Field(None, description="What went wrong in the last pass.")
