"""Settings that several processes share, read from the environment and rejected at start when invalid."""

import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    Field,
    FilePath,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from imghost_core.contract.metadata import MetadataPolicy
from imghost_core.web.pace import Pace

ENVIRONMENT = SettingsConfigDict(env_prefix="", extra="ignore", frozen=True, case_sensitive=False)

Settings = TypeVar("Settings", bound=BaseSettings)


def load(model: type[Settings], *, program: str) -> Settings:
    """The settings in the environment; ends the process with one line when they are not valid.

    The line names the variables and the rules they break, never a value: it may be a secret.
    """
    try:
        return model()
    except ValidationError as error:
        sys.exit(f"{program}: invalid settings: {_describe(error, str(model.model_config.get('env_prefix') or ''))}")


def _describe(error: ValidationError, prefix: str) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    names = ["__".join(map(str, problem["loc"])).upper() for problem in problems]
    messages = [problem["msg"].removeprefix("Value error, ") for problem in problems]
    return "; ".join(
        f"{prefix}{name}: {message}" if name else message for name, message in zip(names, messages, strict=True)
    )


class ServerSettings(BaseSettings):
    """How a server listens, logs and stops."""

    model_config = ENVIRONMENT

    tenant: str = Field("local", description="Name of the ImageHostTenant this process belongs to")
    host: str = Field("127.0.0.1", description="Address to listen on; in a pod, the pod's own")
    port: PositiveInt = Field(8080, description="Port of the public listener")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks (CIDR) of the proxies in front, comma-separated; "
        "only what they append to X-Forwarded-For is believed",
    )
    ops_port: PositiveInt = Field(9090, description="Port of metrics, probes and internal calls")
    connections: PositiveInt = Field(
        4096, description="Open connections of the public listener; fewer if the limit of file descriptors is lower"
    )
    connections_per_address: PositiveInt = Field(
        1024, description="Of these, connections from one address that is no trusted proxy"
    )
    keep_alive_seconds: PositiveFloat = Field(
        75.0, description="How long an idle connection stays open; longer than a proxy in front keeps it"
    )
    head_seconds: PositiveFloat = Field(20.0, description="How long the head of a request may take")
    slowest_bytes_per_second: PositiveInt = Field(
        4096, description="Clients that send bodies, or take responses, more slowly than this lose their connection"
    )
    slow_grace_seconds: PositiveFloat = Field(30.0, description="How long a client may pause or be slower than that")
    response_buffer_bytes: PositiveInt = Field(
        128 * 1024 * 1024, description="Memory for parts of responses that clients have not taken yet"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    shutdown_grace_seconds: PositiveInt = Field(25, description="How long open requests may finish after SIGTERM")
    otel_exporter_otlp_endpoint: str | None = Field(None, description="Traces go here when set (OTLP over HTTP)")

    @property
    def pace(self) -> Pace:
        """How slow a client may be."""
        return Pace(self.slowest_bytes_per_second, self.slow_grace_seconds)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def read_networks(cls, value: object) -> object:
        """Split a list as it is written in the environment; every item must be an address or a network."""
        names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
        assert isinstance(names, list | tuple)  # noqa: S101 - nothing else is written in an environment
        networks = [ip_network(name) for name in names if name]
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("must not contain every address: list the proxies, or leave it out when there are none")
        return tuple(map(str, networks))


class MetadataSettings(BaseSettings):
    """What happens to the metadata of originals where a workspace does not decide it."""

    model_config = ENVIRONMENT

    metadata_policy: MetadataPolicy = Field(
        "strip", description="strip: never delivered; owner: only in the workspace's own downloads; keep: delivered"
    )


class DatabaseSettings(BaseSettings):
    """The PostgreSQL connection of one process."""

    model_config = ENVIRONMENT

    database_url: SecretStr = Field(description="postgresql://role:password@host:port/database")
    database_pool_size: PositiveInt = 10
    database_timeout_seconds: PositiveFloat = Field(5.0, description="For connecting and for a free connection")
    database_statement_timeout_ms: PositiveInt = 10_000


class StoreSettings(BaseSettings):
    """The object store of originals and variants. The `B2_*` names are accepted for the `S3_*` ones."""

    model_config = ENVIRONMENT

    store_kind: Literal["s3", "filesystem"] = "s3"
    store_root: Path | None = Field(None, description="Folder of the filesystem store")
    store_timeout_seconds: PositiveFloat = 10.0
    s3_endpoint: str | None = Field(None, description="https://host[:port]")
    s3_region: str = "us-east-1"
    s3_bucket: str | None = Field(None, validation_alias=AliasChoices("s3_bucket", "b2_bucket_name"))
    s3_prefix: str = Field("", description="Every key starts with this; ends in a slash when set")
    s3_ca_file: FilePath | None = Field(None, description="Certificates (PEM) of the store's authority, if not public")
    s3_access_key_id: str | None = Field(
        None, validation_alias=AliasChoices("s3_access_key_id", "b2_application_key_id")
    )
    s3_secret_access_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("s3_secret_access_key", "b2_application_key")
    )

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Reject an incomplete store at start, not at the first upload."""
        needed = (
            ["store_root"]
            if self.store_kind == "filesystem"
            else ["s3_endpoint", "s3_bucket", "s3_access_key_id", "s3_secret_access_key"]
        )
        missing = [name.upper() for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"STORE_KIND={self.store_kind} also needs {', '.join(missing)}")
        if self.s3_endpoint and urlsplit(self.s3_endpoint).scheme not in {"http", "https"}:
            raise ValueError("S3_ENDPOINT must start with http:// or https://")
        return self
