"""The operator's settings, from the environment: `IMGHOST_…`, nested by `__`, or JSON in one variable.

IMGHOST_DATABASES__DEFAULT__ADMIN_URL_FILE=/etc/imghost/database/url
IMGHOST_STORES='{"default": {"kind": "s3", "endpoint": "https://s3.example.com", "bucket": "images", …}}'
"""

import os
import socket
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from uuid import uuid4

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PositiveInt,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from imghost_operator import registries
from imghost_operator.build_inputs import ClusterFacts, Release
from imghost_operator.crd.spec import DEFAULT_CLASS
from imghost_operator.errors import InvalidSettings
from imghost_operator.kubeconfig import SERVICE_ACCOUNT
from imghost_operator.provision.backends import DatabaseBackend, StoreBackend
from imghost_operator.provision.database import PostgresBackend
from imghost_operator.provision.storage import FilesystemBackend, MinioBackend

_VERSION = version("imghost")
_CA = "File with the certificates (PEM) of the server's authority, which tenants' pods get too"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def files(self) -> tuple[Path, ...]:
        """The mounted files that it names."""
        named = (getattr(self, name) for name in type(self).model_fields if name.endswith("_file"))
        return tuple(file for file in named if file is not None)


_Model = TypeVar("_Model", bound=_Strict)


class DatabaseInstance(_Strict):
    """A PostgreSQL server. Its admin URL is given by a mounted Secret's file, or directly."""

    admin_url: SecretStr | None = Field(None, description="postgresql://role:password@host:port/database")
    admin_url_file: Path | None = Field(None, description="File that holds the admin URL")
    public_host: str | None = Field(None, description="host[:port] as pods reach the server, if that differs")
    networks: tuple[IPvAnyNetwork, ...] = Field((), description="CIDRs that pods find the server in")
    ca_file: Path | None = Field(None, description=_CA)

    @model_validator(mode="after")
    def one_url(self) -> Self:
        """Require exactly one source."""
        return _exactly_one(self, "admin_url", "admin_url_file")

    def backend(self, name: str) -> DatabaseBackend:
        """The backend for this server."""
        url = _secret(self.admin_url, self.admin_url_file)
        networks = tuple(map(str, self.networks))
        return PostgresBackend(url, self.public_host, instance=name, networks=networks, ca_file=self.ca_file)


class S3Store(_Strict):
    """A bucket on a MinIO server whose admin API makes the tenants' keys."""

    kind: Literal["s3"] = "s3"
    endpoint: str = Field(pattern="^https?://[^/?#]+$", description="As the operator reaches the server")
    bucket: str = Field(min_length=3, max_length=63)
    access_key: str | None = None
    access_key_file: Path | None = None
    secret_key: SecretStr | None = None
    secret_key_file: Path | None = None
    region: str = "us-east-1"
    public_endpoint: str | None = Field(None, pattern="^https?://[^/?#]+$", description="As pods reach it")
    networks: tuple[IPvAnyNetwork, ...] = Field((), description="CIDRs that pods find the server in")
    ca_file: Path | None = Field(None, description=_CA)

    @model_validator(mode="after")
    def one_key(self) -> Self:
        """Require exactly one source of each."""
        return _exactly_one(_exactly_one(self, "access_key", "access_key_file"), "secret_key", "secret_key_file")

    def backend(self, name: str) -> StoreBackend:
        """The backend for this store."""
        return MinioBackend(
            self.endpoint,
            self.bucket,
            _secret(self.access_key, self.access_key_file),
            _secret(self.secret_key, self.secret_key_file),
            region=self.region,
            public_endpoint=self.public_endpoint,
            name=name,
            networks=tuple(map(str, self.networks)),
            ca_file=self.ca_file,
        )


class FilesystemStore(_Strict):
    """A folder that operator and pods see at the same place."""

    kind: Literal["filesystem"]
    root: Path

    def backend(self, name: str) -> StoreBackend:
        """The backend for this store."""
        return FilesystemBackend(self.root, name=name)


class DnsServers(_Strict):
    """Where the cluster's name servers run; the tenants' network policies open the way to them."""

    namespace: str = Field("kube-system", pattern="^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
    port: int = Field(53, ge=1, le=65_535, description="Of their pods, not of their Service")


def _own_namespace() -> str:
    mounted = SERVICE_ACCOUNT / "namespace"
    return mounted.read_text().strip() if mounted.exists() else os.environ.get("POD_NAMESPACE", "default")


class OperatorSettings(BaseSettings):
    """All settings of one operator."""

    model_config = SettingsConfigDict(
        env_prefix="IMGHOST_", env_nested_delimiter="__", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    databases: Mapping[str, DatabaseInstance] = Field(min_length=1, description="PostgreSQL servers by name")
    stores: Mapping[str, Annotated[S3Store | FilesystemStore, Field(discriminator="kind")]] = Field(
        min_length=1, description="Object stores by name"
    )
    dns: DnsServers = Field(DnsServers(), description="Where the cluster's name servers run")
    assigns_user_ids: bool = Field(default=False, description="Tenants' pods ask for no user id: OpenShift assigns it")
    api_image: str = f"imghost-api:{_VERSION}"
    imaging_image: str = f"imghost-imaging:{_VERSION}"
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pull_secret_files: tuple[Annotated[Path, AfterValidator(registries.validate)], ...] = Field(
        (), description="Docker configurations that tenants' pods pull images with"
    )
    namespaces: tuple[Annotated[str, Field(pattern="^imghost-[-a-z0-9]+$")], ...] = Field(
        (), description="The only namespaces that tenants may have, created by others; empty: each gets its own"
    )
    operator_class: str = Field(
        DEFAULT_CLASS, pattern="^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$", description="Tenants of this class only"
    )
    lease_namespace: str = Field("", description="Where the lease is, if not in `namespace`")
    namespace: str = Field(default_factory=_own_namespace, description="Where the lease and the recovery Secrets are")
    installation: str = Field("", description="Name of the release in the cluster; empty: its namespace")
    identity: str = Field(default_factory=lambda: f"{socket.gethostname()}-{uuid4().hex[:8]}", description="Unique")
    kubeconfig: Path | None = Field(None, description="Instead of KUBECONFIG or the pod's service account")
    workers: PositiveInt = Field(20, description="Tenants reconciled concurrently")
    host: str = Field("127.0.0.1", description="Address of probes and metrics; in a pod, the pod's own")
    ops_port: PositiveInt = Field(9090, description="Port of probes and metrics")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    def cluster_facts(self) -> ClusterFacts:
        """What tenants' objects must know of the cluster."""
        return ClusterFacts(self.dns.namespace, self.dns.port, self.assigns_user_ids)

    def release(self) -> Release:
        """What this operator rolls out. Raises ValueError when a pull secret cannot be used any more."""
        pull_with = registries.merge(map(registries.validate, self.pull_secret_files))
        return Release(_VERSION, self.api_image, self.imaging_image, self.pull_policy, pull_with)


def _exactly_one(model: _Model, *names: str) -> _Model:
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) != 1:
        raise ValueError(f"give exactly one of {' and '.join(names)}")
    return model


def _secret(value: SecretStr | str | None, file: Path | None) -> str:
    if file is not None:
        return _read(file)
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _read(file: Path) -> str:
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{file} cannot be read ({type(error).__name__}). Mount the Secret there.") from None
    if not text:
        raise InvalidSettings(f"{file} is empty. Put the value into the Secret that is mounted there.")
    return text
