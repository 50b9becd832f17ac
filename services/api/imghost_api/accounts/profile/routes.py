"""One's own account; requires an access token, an API key is not enough."""

from typing import Annotated

from fastapi import APIRouter

from imghost_api.access.declarations import Require
from imghost_api.access.deps import UserSession
from imghost_api.access.permissions import Permission
from imghost_api.access.principal import Principal
from imghost_api.accounts.errors import UsernameTaken
from imghost_api.accounts.profile import service
from imghost_api.accounts.profile.schemas import AccountChange, AccountResponse
from imghost_api.accounts.schemas import UserResource
from imghost_api.http.json_body import JsonRoute
from imghost_api.http.openapi import alias
from imghost_api.http.problem_types import raises

router = APIRouter(route_class=JsonRoute, tags=["account"])


@router.get(
    "/api/v1/account",
    operation_id="read_account",
    summary="Get your account",
)
async def read_account(
    principal: Annotated[Principal, Require(Permission.ACCOUNT_READ)], session: UserSession
) -> AccountResponse:
    """The account of the token's user, with plan and usage."""
    account = await service.read_account(session, principal)
    return AccountResponse(user=UserResource.model_validate(account))


@router.put(
    "/api/v1/account",
    operation_id="change_account",
    summary="Change your account",
)
@raises(UsernameTaken)
async def change_account(
    principal: Annotated[Principal, Require(Permission.ACCOUNT_WRITE)], session: UserSession, change: AccountChange
) -> AccountResponse:
    """Change first name, last name or user name; fields left out keep their value."""
    account = await service.change_account(session, principal, change.model_dump(exclude_unset=True))
    return AccountResponse(user=UserResource.model_validate(account))


alias(router, "/api/v1/auth/me", of="/api/v1/account", method="GET")
alias(router, "/api/auth/me", of="/api/v1/account", method="GET")
