"""The settings of the workspace; requires an access token, an API key is not enough."""

from typing import Annotated

from fastapi import APIRouter

from imghost_api.access.declarations import Require
from imghost_api.access.deps import Context, UserSession
from imghost_api.access.permissions import Permission
from imghost_api.access.principal import Principal
from imghost_api.http.json_body import JsonRoute
from imghost_api.workspace_settings import queries
from imghost_api.workspace_settings.schemas import SettingsChange, SettingsResource, SettingsResponse

router = APIRouter(route_class=JsonRoute, prefix="/api/v1/workspace/settings", tags=["workspace"])


@router.get("", operation_id="read_settings", summary="Get the settings of the workspace")
async def read_settings(
    context: Context, principal: Annotated[Principal, Require(Permission.SETTINGS_READ)], session: UserSession
) -> SettingsResponse:
    """The settings of the workspace, and what applies where it has none of its own."""
    policy = await queries.get_metadata_policy(session, principal.workspace_id)
    return _to_response(policy, default=context.settings.metadata_policy)


@router.put("", operation_id="change_settings", summary="Change the settings of the workspace")
async def change_settings(
    context: Context,
    principal: Annotated[Principal, Require(Permission.SETTINGS_WRITE)],
    session: UserSession,
    change: SettingsChange,
) -> SettingsResponse:
    """Store the settings. They apply immediately, to images uploaded before as well; caches follow within an hour."""
    await queries.set_metadata_policy(session, principal.workspace_id, change.metadata_policy)
    return _to_response(change.metadata_policy, default=context.settings.metadata_policy)


def _to_response(policy: str | None, *, default: str) -> SettingsResponse:
    return SettingsResponse(
        settings=SettingsResource(metadata_policy=policy, effective_metadata_policy=policy or default)
    )
