"""API keys; only a signed-in user manages them, a key cannot create or revoke keys."""

from typing import Annotated

from fastapi import APIRouter, Response

from imghost_api.access.declarations import Require
from imghost_api.access.deps import Context, UserSession
from imghost_api.access.permissions import Permission
from imghost_api.access.principal import Principal
from imghost_api.api_keys import service
from imghost_api.api_keys.errors import ApiKeyNotFound, RateLimitAbovePlan, TooManyApiKeys
from imghost_api.api_keys.schemas import (
    ApiKeyRequest,
    ApiKeyResource,
    ApiKeysResponse,
    NewApiKeyResource,
    NewApiKeyResponse,
    RevokedResponse,
)
from imghost_api.http.fields import KeyId
from imghost_api.http.json_body import JsonRoute
from imghost_api.http.problem_types import raises

router = APIRouter(route_class=JsonRoute, prefix="/api/v1/api-keys", tags=["api keys"])


@router.get("", operation_id="list_api_keys", summary="List your API keys")
async def list_api_keys(
    principal: Annotated[Principal, Require(Permission.KEYS_READ)], session: UserSession
) -> ApiKeysResponse:
    """Every active key, newest first, without the key itself."""
    keys = await service.list_api_keys(session, principal.workspace_id)
    return ApiKeysResponse(data=[ApiKeyResource.model_validate(key) for key in keys])


@router.post(
    "",
    status_code=201,
    operation_id="create_api_key",
    summary="Create an API key",
)
@raises(RateLimitAbovePlan, TooManyApiKeys)
async def create_api_key(
    principal: Annotated[Principal, Require(Permission.KEYS_WRITE)],
    session: UserSession,
    context: Context,
    wanted: ApiKeyRequest,
    response: Response,
) -> NewApiKeyResponse:
    """Create an API key. The key is shown only this once."""
    response.headers["Cache-Control"] = "no-store"
    key = await service.create_api_key(
        session,
        context.digest,
        service.KeyOwner(principal.user_id, principal.workspace_id, principal.limits),
        name=wanted.key_name,
        rate_limit_per_hour=wanted.rate_limit_per_hour,
        scopes=[Permission(scope) for scope in wanted.scopes],
    )
    return NewApiKeyResponse(api_key=NewApiKeyResource.model_validate(key))


@router.delete(
    "/{key_id}",
    operation_id="revoke_api_key",
    summary="Revoke an API key",
)
@raises(ApiKeyNotFound)
async def revoke_api_key(
    principal: Annotated[Principal, Require(Permission.KEYS_WRITE)], session: UserSession, key_id: KeyId
) -> RevokedResponse:
    """Revoke an API key permanently. The next request with it is rejected."""
    await service.revoke_api_key(session, principal.workspace_id, key_id)
    return RevokedResponse(id=key_id)
