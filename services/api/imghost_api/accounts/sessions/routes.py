"""Registration, sign-in and the public keys."""

from fastapi import APIRouter, Response

from imghost_api.access import credentials as service
from imghost_api.access.deps import ResourcesOf
from imghost_api.accounts.sessions.schemas import KeySet, Login, RegisteredAnswer, Registration, TokenAnswer
from imghost_api.http.json_body import JsonRoute
from imghost_api.http.openapi import alias, problems

router = APIRouter(route_class=JsonRoute, tags=["auth"])


@router.post(
    "/api/v1/auth/register",
    status_code=201,
    operation_id="register",
    summary="Make an account",
    responses=problems(400, 409, 413, 503),
)
async def register(resources: ResourcesOf, wanted: Registration, response: Response) -> RegisteredAnswer:
    """A new account with its own workspace, the free plan, a token and a first API key."""
    response.headers["Cache-Control"] = "no-store"
    return await service.register(resources, wanted)


@router.post(
    "/api/v1/auth/login",
    operation_id="login",
    summary="Sign in",
    responses=problems(400, 401, 403, 413, 429, 503),
)
async def login(resources: ResourcesOf, given: Login, response: Response) -> TokenAnswer:
    """A token for the right password of an e-mail or user name."""
    response.headers["Cache-Control"] = "no-store"
    return await service.login(resources, given)


@router.get("/.well-known/jwks.json", operation_id="jwks", summary="Public keys of our access tokens")
async def jwks(resources: ResourcesOf, response: Response) -> KeySet:
    """The set to verify our tokens with; empty when they are signed with a shared secret."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return KeySet.model_validate(resources.tokens.jwks)


alias(router, "/api/auth/register", of="/api/v1/auth/register", method="POST")
alias(router, "/api/auth/login", of="/api/v1/auth/login", method="POST")
