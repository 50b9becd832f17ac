"""Dependencies of routes: the context, the principal, and transactions in the principal's workspace."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from imghost_api.access.credentials import Authenticator
from imghost_api.access.errors import (
    AccountBlocked,
    AmbiguousCredentials,
    ApiKeyRevoked,
    CredentialMissing,
    InvalidApiKey,
    WorkspaceSuspended,
)
from imghost_api.access.principal import Principal
from imghost_api.context import AppContext
from imghost_api.crypto.errors import InvalidToken, TokenExpired
from imghost_api.db.engine import Session
from imghost_api.http.problem_types import declared_errors, raises
from imghost_api.plans.errors import RateLimitReached
from imghost_api.plans.rate_limits import rate_limit_headers
from imghost_core.contract.errors import Overloaded
from imghost_core.web.addresses import client_address

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="An access token, issued at sign-in")
_api_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key: `ih_…`")
_PRIVATE = "private, no-store"


def _context(request: Request) -> AppContext:
    context: AppContext = request.app.state.context
    return context


def _address(request: Request) -> str:
    return client_address(request.scope)


Context = Annotated[AppContext, Depends(_context)]
ClientAddress = Annotated[str, Depends(_address)]
"""Where the request comes from, as limits count it; a proxy's word is taken only for those in TRUSTED_PROXIES."""
_Token = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
_Key = Annotated[str | None, Security(_api_key)]


def _authenticator(context: Context, address: ClientAddress) -> Authenticator:
    return Authenticator(
        context.database, context.tokens, context.digest, context.clock, context.authentications, address
    )


_Authenticator = Annotated[Authenticator, Depends(_authenticator)]


@raises(AmbiguousCredentials)
def _require_one(request: Request) -> None:
    """Reject more than one credential, also one of a scheme that is not supported: which of them counts is unclear."""
    if sum(len(request.headers.getlist(name)) for name in ("authorization", "x-api-key")) > 1:
        raise AmbiguousCredentials


_ONE = Depends(_require_one)


@raises(CredentialMissing, InvalidToken, TokenExpired, AccountBlocked, WorkspaceSuspended, Overloaded)
async def authenticate_user(
    authenticator: _Authenticator, response: Response, token: _Token, _one: Annotated[None, _ONE]
) -> Principal:
    """The signed-in user; API keys are not accepted, and the request counts against no rate limit."""
    if token is None:
        raise CredentialMissing("Send an access token as `Authorization: Bearer <token>`.")
    response.headers["Cache-Control"] = _PRIVATE
    user, _ = await authenticator.by_token(token.credentials, counted=False)
    return user


@raises(*declared_errors(authenticate_user), InvalidApiKey, ApiKeyRevoked, RateLimitReached)
async def authenticate(
    authenticator: _Authenticator, response: Response, token: _Token, key: _Key, _one: Annotated[None, _ONE]
) -> Principal:
    """The principal by API key or access token; the request counts against the rate limits."""
    if key is not None:
        principal, statuses = await authenticator.by_api_key(key)
    elif token is not None:
        principal, statuses = await authenticator.by_token(token.credentials, counted=True)
    else:
        raise CredentialMissing(
            "Send an API key as `X-API-Key: ih_…` or an access token as `Authorization: Bearer <token>`."
        )
    response.headers["Cache-Control"] = _PRIVATE
    response.headers.update(rate_limit_headers(statuses, authenticator.clock()))
    return principal


_User = Annotated[Principal, Depends(authenticate_user)]
_Principal = Annotated[Principal, Depends(authenticate)]


async def _user_session(context: Context, user: _User) -> AsyncIterator[Session]:
    async with context.database.transaction(user.workspace_id) as session:
        yield session


async def _workspace_session(context: Context, principal: _Principal) -> AsyncIterator[Session]:
    async with context.database.transaction(principal.workspace_id) as session:
        yield session


# Scope "function": committed before the response is sent, so that a response is never ahead of its transaction.
UserSession = Annotated[Session, Depends(_user_session, scope="function")]
WorkspaceSession = Annotated[Session, Depends(_workspace_session, scope="function")]
