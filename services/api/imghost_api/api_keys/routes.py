"""API keys; a key cannot make or revoke keys, only a signed-in user can."""

from uuid import UUID

from fastapi import APIRouter, Response

from imghost_api.access.deps import CurrentUser, ResourcesOf, UserSession
from imghost_api.api_keys import service
from imghost_api.api_keys.schemas import KeysAnswer, NewKey, NewKeyAnswer, RevokedAnswer
from imghost_api.http.json_body import JsonRoute
from imghost_api.http.openapi import problems

router = APIRouter(route_class=JsonRoute, prefix="/api/v1/api-keys", tags=["api keys"])


@router.get("", operation_id="list_api_keys", summary="Your API keys", responses=problems(401, 403, 503))
async def list_api_keys(user: CurrentUser, session: UserSession) -> KeysAnswer:
    """Every key that works, newest first, without the key itself."""
    return KeysAnswer(data=await service.listed(session, user.workspace_id))


@router.post(
    "",
    status_code=201,
    operation_id="create_api_key",
    summary="Make an API key",
    responses=problems(400, 401, 403, 409, 413, 422, 503),
)
async def create_api_key(
    user: CurrentUser, session: UserSession, resources: ResourcesOf, wanted: NewKey, response: Response
) -> NewKeyAnswer:
    """A new key, shown this once."""
    response.headers["Cache-Control"] = "no-store"
    made = await service.create(
        session,
        resources.digest,
        workspace_id=user.workspace_id,
        user_id=user.user_id,
        limits=user.limits,
        wanted=wanted,
    )
    return NewKeyAnswer(api_key=made)


@router.delete(
    "/{key_id}",
    operation_id="revoke_api_key",
    summary="Revoke an API key",
    responses=problems(400, 401, 403, 404, 503),
)
async def revoke_api_key(user: CurrentUser, session: UserSession, key_id: UUID) -> RevokedAnswer:
    """Stop a key for good, at once."""
    await service.revoke(session, user.workspace_id, key_id)
    return RevokedAnswer(id=key_id)
