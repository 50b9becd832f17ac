"""Settings of the api, the worker and the migrations; with an unsafe value a process does not start."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from imghost_core.settings import DatabaseSettings, MetadataSettings, ServerSettings, StoreSettings


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be a base URL such as https://img.example.org, without query or fragment")
    return value.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]


def _origin(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError("must list origins such as https://app.example.org, without a path")
    return to_origin(value.strip())


def to_origin(url: str) -> str:
    """The origin of a URL as browsers send it: in lower case, and without the port that the scheme implies."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in {None, default} else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}"


Origin = Annotated[str, AfterValidator(_origin)]
Secret = Annotated[SecretStr, Field(min_length=32)]


class ApiSettings(ServerSettings, DatabaseSettings, StoreSettings, MetadataSettings):
    """Listeners, credentials and limits of the api."""

    imaging_url: BaseUrl = Field(description="Base URL of imaging's ops listener")
    imaging_timeout_seconds: PositiveFloat = Field(
        45.0, description="For checking one upload and making its variants, including the wait for a slot"
    )
    internal_token: Secret = Field(description="Shared with imaging, for its internal calls")

    jwt_private_key: SecretStr | None = Field(None, description="Ed25519 private key in PEM; signs access tokens")
    jwt_secret: Secret | None = Field(None, description="HS256 key of at least 32 characters; accepted, and used alone")
    access_token_seconds: PositiveInt = 3600
    api_key_pepper: Secret = Field(description="Key of the HMAC under which API keys are stored")
    login_attempts: PositiveInt = Field(
        10, description="Failed sign-ins with one name from one address in the window; ten times as many with one name"
    )
    login_attempts_per_address: PositiveInt = Field(100, description="Failed sign-ins from one address in the window")
    login_attempts_in_all: PositiveInt = Field(10_000, description="Failed sign-ins from all addresses in the window")
    login_window_seconds: PositiveInt = Field(900, le=86_400)
    refusal_delay_seconds: NonNegativeFloat = Field(
        3.0, le=30, description="How long a sign-in or registration beyond a limit waits for its refusal"
    )
    registrations_per_address: PositiveInt = Field(30, description="Registrations per hour from one address")
    registrations_in_all: PositiveInt = Field(1_000, description="Registrations per hour from all addresses")

    auth_server_url: BaseUrl
    view_server_url: BaseUrl
    cdn_base_url: BaseUrl | None = Field(None, description="Base URL of the image files; default VIEW_SERVER_URL")
    frontend_url: BaseUrl | None = Field(None, description="Web front end; browsers may send requests from its origin")
    allowed_origins: Annotated[tuple[Origin, ...], NoDecode] = Field(
        (), description="Further origins that browsers may send requests from (CORS), comma-separated"
    )

    max_upload_bytes: PositiveInt = Field(50 * 1024 * 1024, description="Upper bound for every plan")
    upload_concurrency: PositiveInt = Field(
        32, description="Received uploads that this process stores at a time, as many as imaging can take; others wait"
    )
    upload_queue_seconds: PositiveFloat = Field(30.0, description="Longest wait of a received upload for that")
    uploads: PositiveInt = Field(128, description="Uploads under way in this process; more are a 503")
    uploads_per_address: PositiveInt = Field(32, description="Of these, from one address")
    upload_concurrency_per_workspace: PositiveInt = Field(
        10, description="Of one workspace: uploads that arrive, and uploads that are stored or wait for it"
    )
    upload_timeout_seconds: PositiveFloat = Field(600.0, description="For receiving one upload, however fast it is")
    spool_bytes: PositiveInt = Field(
        512 * 1024 * 1024,
        description="Disk space for uploads that have not ended; a quarter of it for one workspace, or one address",
    )
    idempotency_takeover_seconds: PositiveInt = Field(
        4, description="Age at which the claim of an upload without heartbeat counts as abandoned"
    )
    readiness_grace_seconds: PositiveFloat = Field(
        15.0, description="How long, roughly, the database may be unavailable before this process becomes unready"
    )

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return [name for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def can_sign(self) -> Self:
        """Require a key to sign tokens with."""
        if self.jwt_private_key is None and self.jwt_secret is None:
            raise ValueError("set JWT_PRIVATE_KEY (Ed25519, PEM) or JWT_SECRET (at least 32 characters)")
        return self

    @property
    def browser_origins(self) -> list[str]:
        """The origins that browsers may send requests from; none unless some are configured."""
        frontend = [to_origin(self.frontend_url)] if self.frontend_url else []
        return list(dict.fromkeys([*frontend, *self.allowed_origins]))

    @property
    def image_base_url(self) -> str:
        """Base of the direct image URLs."""
        return self.cdn_base_url or self.view_server_url


class WorkerSettings(ServerSettings, DatabaseSettings, StoreSettings):
    """Concurrency of a worker, and retention of what its jobs delete."""

    jobs_concurrency: PositiveInt = Field(4, description="Concurrent jobs of the queue `default` in this process")
    jobs_bulk_concurrency: PositiveInt = Field(2, description="Concurrent jobs of the queue `bulk`")
    jobs_maintenance_concurrency: PositiveInt = Field(1, description="Concurrent jobs of the queue `maintenance`")
    events_concurrency: PositiveInt = Field(2, description="Concurrent deliveries of events per subscriber")
    events_retention_days: PositiveInt = Field(7, description="Retention of delivered events, for new subscribers")
    orphan_grace_seconds: PositiveInt = Field(3600, description="Age at which objects without a row are deleted")
    analytics_retention_days: PositiveInt = Field(90, description="Retention of view events")
    readiness_grace_seconds: PositiveFloat = Field(
        15.0, description="How long, roughly, the database may be unavailable before this process becomes unready"
    )


class MigrateSettings(DatabaseSettings):
    """The database owner's connection, and the two roles that receive grants."""

    api_role: str = Field(pattern="^[A-Za-z_][A-Za-z0-9_-]{0,62}$")
    imaging_role: str = Field(pattern="^[A-Za-z_][A-Za-z0-9_-]{0,62}$")
    migrate_timeout_seconds: PositiveInt = Field(60, description="Longest wait for the database or another migration")
