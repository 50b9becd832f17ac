"""One's own account; asks for a token, an API key is not enough."""

from fastapi import APIRouter

from imghost_api.access.deps import CurrentUser, UserSession
from imghost_api.accounts.profile import service
from imghost_api.accounts.profile.schemas import AccountAnswer, AccountChange
from imghost_api.http.json_body import JsonRoute
from imghost_api.http.openapi import alias, problems

router = APIRouter(route_class=JsonRoute, tags=["account"])


@router.get(
    "/api/v1/account",
    operation_id="read_account",
    summary="Your account",
    responses=problems(401, 403, 503),
)
async def read_account(user: CurrentUser, session: UserSession) -> AccountAnswer:
    """The account of the token's user, with plan and use."""
    return AccountAnswer(user=await service.read(session, user))


@router.put(
    "/api/v1/account",
    operation_id="change_account",
    summary="Change your account",
    responses=problems(400, 401, 403, 409, 413, 503),
)
async def change_account(user: CurrentUser, session: UserSession, wanted: AccountChange) -> AccountAnswer:
    """Change first name, last name or user name; fields left out stay."""
    return AccountAnswer(user=await service.change(session, user, wanted))


alias(router, "/api/v1/auth/me", of="/api/v1/account", method="GET")
alias(router, "/api/auth/me", of="/api/v1/account", method="GET")
