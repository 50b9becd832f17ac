"""What routes ask for, by name."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from imghost_api.access import credentials as service
from imghost_api.access.principal import Principal
from imghost_api.context import Resources
from imghost_api.db.engine import Session
from imghost_api.plans import rate_limits as limits
from imghost_core.errors import InvalidRequest, Unauthorized

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="The token of a sign-in")
_api_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="A key: `ih_…`")
_PRIVATE = "private, no-store"


def _resources(request: Request) -> Resources:
    opened: Resources = request.app.state.resources
    return opened


ResourcesOf = Annotated[Resources, Depends(_resources)]
_Token = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
_Key = Annotated[str | None, Security(_api_key)]


async def _current_user(resources: ResourcesOf, response: Response, token: _Token) -> Principal:
    if token is None:
        raise _nobody("Send the token of a sign-in as `Authorization: Bearer <token>`.")
    response.headers["Cache-Control"] = _PRIVATE
    user, _ = await service.by_token(resources, token.credentials, counted=False)
    return user


async def _caller(resources: ResourcesOf, response: Response, token: _Token, key: _Key) -> Principal:
    if key is not None and token is not None:
        raise InvalidRequest("Send either X-API-Key or Authorization, not both: they may name different accounts.")
    if key is not None:
        caller, allowances = await service.by_key(resources, key)
    elif token is not None:
        caller, allowances = await service.by_token(resources, token.credentials, counted=True)
    else:
        raise _nobody("Send an API key as `X-API-Key: ih_…` or a token as `Authorization: Bearer <token>`.")
    response.headers["Cache-Control"] = _PRIVATE
    response.headers.update(limits.headers(allowances, resources.clock()))
    return caller


CurrentUser = Annotated[Principal, Depends(_current_user)]
Caller = Annotated[Principal, Depends(_caller)]


async def _user_session(resources: ResourcesOf, user: CurrentUser) -> AsyncIterator[Session]:
    async with resources.database.transaction(user.workspace_id) as session:
        yield session


async def _caller_session(resources: ResourcesOf, caller: Caller) -> AsyncIterator[Session]:
    async with resources.database.transaction(caller.workspace_id) as session:
        yield session


# Scope "function": committed before the answer is sent, so that an answer is never ahead of its transaction.
UserSession = Annotated[Session, Depends(_user_session, scope="function")]
CallerSession = Annotated[Session, Depends(_caller_session, scope="function")]


def _nobody(detail: str) -> Unauthorized:
    return Unauthorized(detail, headers={"WWW-Authenticate": "Bearer"})
