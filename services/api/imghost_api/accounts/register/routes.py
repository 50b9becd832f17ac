"""Registration."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from imghost_api.access.declarations import PUBLIC
from imghost_api.access.deps import ClientAddress, Context
from imghost_api.accounts.errors import CommonPassword, EmailTaken, UsernameTaken
from imghost_api.accounts.register.schemas import RegisteredResponse, Registration
from imghost_api.accounts.register.service import RegistrationLimits, RegistrationService
from imghost_api.accounts.schemas import UserResource
from imghost_api.api_keys.schemas import NewApiKeyResource
from imghost_api.http.json_body import JsonRoute
from imghost_api.http.openapi import alias
from imghost_api.http.problem_types import raises
from imghost_api.plans.errors import RateLimitReached
from imghost_core.contract.errors import Overloaded

router = APIRouter(route_class=JsonRoute, tags=["auth"])


def _service(context: Context) -> RegistrationService:
    settings = context.settings
    return RegistrationService(
        context.database,
        context.passwords,
        context.tokens,
        context.digest,
        RegistrationLimits(settings.registrations_per_address, settings.registrations_in_all),
        context.clock,
    )


@router.post(
    "/api/v1/auth/register",
    status_code=201,
    operation_id="register",
    summary="Create an account",
    dependencies=[PUBLIC],
)
@raises(CommonPassword, EmailTaken, UsernameTaken, RateLimitReached, Overloaded)
async def register(
    context: Context,
    service: Annotated[RegistrationService, Depends(_service)],
    registration: Registration,
    address: ClientAddress,
    response: Response,
) -> RegisteredResponse:
    """Create an account with its own workspace, the free plan, an access token and a first API key."""
    response.headers["Cache-Control"] = "no-store"
    names = registration.model_dump(exclude={"password"})
    async with context.tarpit.slow_refusals():
        registered = await service.register(names, password=registration.password.get_secret_value(), address=address)
    return RegisteredResponse(
        token=registered.token,
        expires_in=registered.expires_in,
        user=UserResource.model_validate(registered.account),
        api_key=NewApiKeyResource.model_validate(registered.api_key),
    )


alias(router, "/api/auth/register", of="/api/v1/auth/register", method="POST")
