"""Every setting of the api process, read from the environment; unsafe values stop the start with one line."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, model_validator

from imghost_core.settings import DatabaseSettings, ServerSettings, StoreSettings


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be a base URL such as https://img.example.org, without query or fragment")
    return value.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]
Secret = Annotated[SecretStr, Field(min_length=32)]


class ApiSettings(ServerSettings, DatabaseSettings, StoreSettings):
    """How the api serves, whom it trusts and how much it accepts."""

    imaging_url: BaseUrl = Field(description="Base URL of imaging's ops listener")
    imaging_timeout_seconds: PositiveFloat = Field(
        45.0, description="For judging one upload and making its variants, its wait for a slot included"
    )
    internal_token: Secret = Field(description="Shared with imaging, for its internal calls")

    jwt_private_key: SecretStr | None = Field(None, description="Ed25519 private key in PEM; signs access tokens")
    jwt_secret: Secret | None = Field(None, description="HS256 key of at least 32 characters; accepted, and used alone")
    access_token_seconds: PositiveInt = 3600
    api_key_pepper: Secret = Field(description="Key of the HMAC under which API keys are stored")
    login_attempts: PositiveInt = Field(10, description="Failed sign-ins of one account before it has to wait")
    login_window_seconds: PositiveInt = 900

    auth_server_url: BaseUrl
    upload_server_url: BaseUrl
    view_server_url: BaseUrl
    cdn_base_url: BaseUrl | None = Field(None, description="Where pictures are served from; VIEW_SERVER_URL when unset")
    frontend_url: BaseUrl | None = Field(None, description="The one other origin browsers may call us from")

    max_upload_bytes: PositiveInt = Field(50 * 1024 * 1024, description="No plan allows more than this")
    upload_concurrency: PositiveInt = Field(32, description="Uploads at once in this process; more are told to wait")
    upload_timeout_seconds: PositiveFloat = Field(120.0, description="For receiving one body")
    idempotency_takeover_seconds: PositiveInt = Field(4, description="After this a silent upload counts as dead")
    jobs_concurrency: NonNegativeInt = Field(2, description="Background jobs at once; 0 leaves them to other processes")
    orphan_grace_seconds: PositiveInt = Field(3600, description="Age at which objects without a row are removed")
    analytics_retention_days: PositiveInt = Field(90, description="How long single view events are kept")
    readiness_grace_seconds: PositiveFloat = Field(
        15.0, description="About how long the database may be away before this process leaves the rotation"
    )

    @model_validator(mode="after")
    def can_sign(self) -> Self:
        """Refuse to start without a key to sign tokens with."""
        if self.jwt_private_key is None and self.jwt_secret is None:
            raise ValueError("set JWT_PRIVATE_KEY (Ed25519, PEM) or JWT_SECRET (at least 32 characters)")
        return self

    @property
    def picture_base_url(self) -> str:
        """Base of the direct picture URLs."""
        return self.cdn_base_url or self.view_server_url


class MigrateSettings(DatabaseSettings):
    """The owner's connection, and the two roles that get just what they need."""

    api_role: str = Field(pattern="^[A-Za-z_][A-Za-z0-9_-]{0,62}$")
    imaging_role: str = Field(pattern="^[A-Za-z_][A-Za-z0-9_-]{0,62}$")
    migrate_timeout_seconds: PositiveInt = Field(60, description="Longest wait for the database or another migration")
