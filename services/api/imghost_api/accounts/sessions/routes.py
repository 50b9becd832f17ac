"""Sign-in, and the public keys of access tokens."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from imghost_api.access.declarations import PUBLIC
from imghost_api.access.deps import ClientAddress, Context
from imghost_api.access.errors import AccountBlocked
from imghost_api.accounts.schemas import TokenResponse, UserResource
from imghost_api.accounts.sessions.errors import InvalidCredentials, NoWorkspace, TooManySignIns
from imghost_api.accounts.sessions.schemas import JwksResponse, Login
from imghost_api.accounts.sessions.service import SessionService
from imghost_api.accounts.sessions.throttle import Throttle, ThrottleLimits
from imghost_api.http.json_body import JsonRoute
from imghost_api.http.openapi import alias
from imghost_api.http.problem_types import raises
from imghost_core.contract.errors import Overloaded

router = APIRouter(route_class=JsonRoute, tags=["auth"])


def _service(context: Context) -> SessionService:
    settings = context.settings
    limits = ThrottleLimits(
        settings.login_attempts,
        settings.login_attempts_per_address,
        settings.login_attempts_in_all,
        timedelta(seconds=settings.login_window_seconds),
    )
    throttle = Throttle(limits, context.digest, context.clock)
    return SessionService(context.database, context.passwords, context.tokens, throttle, context.digest, context.clock)


@router.post(
    "/api/v1/auth/login",
    operation_id="login",
    summary="Sign in",
    dependencies=[PUBLIC],
)
@raises(InvalidCredentials, TooManySignIns, Overloaded, AccountBlocked, NoWorkspace)
async def login(
    context: Context,
    service: Annotated[SessionService, Depends(_service)],
    login: Login,
    address: ClientAddress,
    response: Response,
) -> TokenResponse:
    """An access token for the password of an e-mail address or user name."""
    response.headers["Cache-Control"] = "no-store"
    async with context.tarpit.slow_refusals():
        signed_in = await service.sign_in(login.identifier, login.password.get_secret_value(), address)
    return TokenResponse(
        token=signed_in.token,
        expires_in=signed_in.expires_in,
        user=UserResource.model_validate(signed_in.account),
    )


@router.get(
    "/.well-known/jwks.json", operation_id="jwks", summary="Public keys of access tokens", dependencies=[PUBLIC]
)
async def jwks(context: Context, response: Response) -> JwksResponse:
    """The key set that access tokens verify with; empty when they are signed with a shared secret."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return JwksResponse.model_validate(context.tokens.jwks)


alias(router, "/api/auth/login", of="/api/v1/auth/login", method="POST")
