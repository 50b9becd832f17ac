"""What a route declares: the one permission it requires, or that it is public. Without a declaration nothing starts."""

from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from imghost_api.access.deps import authenticate, authenticate_user
from imghost_api.access.errors import PermissionDenied
from imghost_api.access.permissions import KEY_SCOPES, Permission
from imghost_api.access.principal import Principal
from imghost_api.http.problem_types import raises


@cache
def check_of(permission: Permission) -> Callable[..., Awaitable[Principal]]:
    """The dependency that authenticates the request and checks the permission; the same function for each permission.

    API keys are accepted where one of their scopes can grant the permission; elsewhere only access tokens are.
    """
    check_credential = authenticate if permission in KEY_SCOPES else authenticate_user

    @raises(PermissionDenied)
    async def check_permission(principal: Annotated[Principal, Depends(check_credential)]) -> Principal:
        if permission not in principal.permissions:
            raise PermissionDenied(permission, role=principal.role, by_api_key=principal.api_key is not None)
        return principal

    return check_permission


def Require(permission: Permission) -> Any:  # noqa: N802 - reads as `Depends` and `Security` do
    """Declare what a route requires, in its signature.

    `principal: Annotated[Principal, Require(Permission.IMAGES_READ)]` is the principal, once the permission is checked.
    """
    return Depends(check_of(permission))


def _allow_everyone() -> None:
    """Check nothing."""


PUBLIC: Final = Depends(_allow_everyone)
"""Declares in `dependencies=[PUBLIC]` that a route requires no credential."""


class UndeclaredRoute(Exception):
    """A route that declares neither one required permission nor `PUBLIC`; the process must not serve it."""


def required_permission(route: BaseRoute) -> Permission | None:
    """What a route declares; None for a public one. Raises `UndeclaredRoute`."""
    if isinstance(route, APIRoute):
        calls = set(_list_calls(route.dependant))
        declared = [permission for permission in Permission if check_of(permission) in calls]
        is_public = _allow_everyone in calls
        if len(declared) == 1 and not is_public:
            return declared[0]
        if is_public and not calls & {authenticate, authenticate_user}:  # with a principal, a permission is required
            return None
    raise UndeclaredRoute(
        f"{route} must declare what it requires: one parameter Annotated[Principal, Require(Permission.…)], "
        "or dependencies=[PUBLIC]"
    )


def _list_calls(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _list_calls(dependency)


def document_permissions(router: APIRouter) -> None:
    """Add what each route of the router requires to its OpenAPI operation. Raises `UndeclaredRoute`."""
    for route in router.routes:
        permission = required_permission(route)
        if permission and isinstance(route, APIRoute):
            route.openapi_extra = {**(route.openapi_extra or {}), "x-required-permission": permission.value}
