"""The status of an `ImageHostTenant` as models: small, and without anything that changes by itself."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from imghost_operator.crd.base import Part

ConditionType = Literal[
    "Ready",
    "NamespaceReady",
    "SecretsReady",
    "CredentialsStored",
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
    "SoleInstallation",
]
MAX_MESSAGE = 512

_Name = Annotated[str, Field(max_length=253)]
_Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
_Generation = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]


class _StatusPart(Part):
    """A part of the status: None is left out, and fields of another release are ignored."""

    model_config = ConfigDict(extra="ignore")


class Condition(_StatusPart):
    """One condition: true, false or not known yet."""

    type: ConditionType = Field(description="Type of the condition.")
    status: Literal["True", "False", "Unknown"] = Field(description="Status of the condition.")
    reason: str = Field(
        min_length=1, max_length=128, pattern="^[A-Za-z][A-Za-z0-9]*$", description="Reason in one CamelCase word."
    )
    message: str = Field(max_length=MAX_MESSAGE, description="What was observed, and what to do.")
    observed_generation: _Generation = Field(description="Generation of the spec that was evaluated.")
    last_transition_time: datetime = Field(description="When status last changed.")


class WorkloadStatus(_StatusPart):
    """Pods of one service."""

    desired: _Count = Field(description="Desired number of pods.")
    current: _Count = Field(description="Pods that exist.")
    ready: _Count = Field(description="Pods that are ready.")
    updated: _Count = Field(description="Pods of the latest template.")


class StorageStatus(_StatusPart):
    """Object store of the images."""

    backend: _Name = Field(description="Object store.")
    bucket: _Name = Field(description="Bucket.")
    prefix: _Name = Field(description="Prefix of all object keys of the tenant.")
    key_id: _Name = Field(description="Access key restricted to the prefix.")


class DatabaseStatus(_StatusPart):
    """Database of the tenant."""

    instance: _Name = Field(description="PostgreSQL instance.")
    name: _Name = Field(description="Database.")
    role: _Name = Field(description="Owner of the database; it runs the migrations.")
    id: _Name | None = Field(None, description="Identity of the database; another one is another database.")


class MigrationsStatus(_StatusPart):
    """Migrations that are complete, by the names of their Jobs, which may be deleted. Remove one to run it again."""

    pre: _Name | None = Field(None, description="Job that expanded the schema.")
    post: _Name | None = Field(None, description="Job that contracted the schema.")


class ObjectsStatus(_StatusPart):
    """The tenant's Kubernetes objects."""

    desired: _Count = Field(description="Objects that belong to the tenant.")
    applied: _Count = Field(description="Number of these that are in the cluster as desired.")


class LastError(_StatusPart):
    """The failure of the last pass; absent when it succeeded."""

    reason: str = Field(min_length=1, max_length=128, description="Reason in one CamelCase word.")
    message: str = Field(max_length=MAX_MESSAGE, description="What failed, and what to do.")
    since: datetime = Field(description="When it began.")


class Status(_StatusPart):
    """The observed state of a tenant."""

    observed_generation: _Generation | None = Field(None, description="Generation of the spec that was observed.")
    conditions: tuple[Condition, ...] | None = Field(
        None,
        max_length=24,
        description="Conditions; Ready is the summary.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    namespace: _Name | None = Field(None, description="Namespace of the tenant.")
    url: _Name | None = Field(None, description="Base URL of images.")
    version: _Name | None = Field(None, description="Version of imghost.")
    selector: _Name | None = Field(None, description="Label selector of the api's pods, for autoscalers.")
    api: WorkloadStatus | None = Field(None, description="Pods of the api.")
    worker: WorkloadStatus | None = Field(None, description="Pods of the worker.")
    imaging: WorkloadStatus | None = Field(None, description="Pods of imaging.")
    storage: StorageStatus | None = Field(None, description="Object store of the images.")
    database: DatabaseStatus | None = Field(None, description="Database of the tenant.")
    migrations: MigrationsStatus | None = Field(
        None, description="Completed migrations by the names of their Jobs. Remove one to run it again."
    )
    objects: ObjectsStatus | None = Field(None, description="The tenant's Kubernetes objects.")
    last_error: LastError | None = Field(None, description="Failure of the last pass.")
