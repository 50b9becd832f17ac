"""Requests and responses about API keys."""

from uuid import UUID

from pydantic import Field

from imghost_api.access.permissions import KeyScope
from imghost_api.http.fields import Name, RequestModel, Resource, ResponseModel
from imghost_core.timestamps import UtcDatetime


class ApiKeyRequest(RequestModel):
    """A key to create."""

    key_name: Name
    rate_limit_per_hour: int | None = Field(
        None, ge=1, le=1_000_000, description="Requests per hour, at most the plan's; default: 1,000 or the plan's"
    )
    scopes: list[KeyScope] = Field(
        default=list(KeyScope),
        min_length=1,
        description="What the key may do, at most what its owner may do",
    )


class ApiKeyResource(Resource):
    """An API key without its secret: enough to recognise it by."""

    id: UUID
    key_name: str
    prefix: str = Field(description="The first characters of the key")
    last_four: str = Field(description="The last four characters of the key")
    is_active: bool
    rate_limit_per_hour: int
    scopes: list[KeyScope]
    requests_count: int
    last_used_at: UtcDatetime | None
    created_at: UtcDatetime


class NewApiKeyResource(ApiKeyResource):
    """A new API key. `key` is shown only this once; only a keyed hash of it is stored."""

    key: str


class NewApiKeyResponse(ResponseModel):
    """The created API key."""

    api_key: NewApiKeyResource


class ApiKeysResponse(ResponseModel):
    """Every active key, newest first; there is no second page, the number of keys is bounded."""

    data: list[ApiKeyResource]
    has_more: bool = False
    next_cursor: str | None = None


class RevokedResponse(ResponseModel):
    """The key no longer works."""

    id: UUID
