"""What a route declares: the one permission it requires, or that it is public. Without a declaration nothing starts."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from imghost_api.access.deps import authenticate_caller, authenticate_user
from imghost_api.access.errors import PermissionDenied
from imghost_api.access.permissions import KEY_SCOPES, Permission
from imghost_api.access.principal import Principal


@cache
def check_of(permission: Permission) -> Callable[..., Awaitable[Principal]]:
    """The dependency that authenticates the caller and checks the permission; the same function for each permission.

    API keys are accepted where one of their scopes can grant the permission; elsewhere only access tokens are.
    """
    authenticate = authenticate_caller if permission in KEY_SCOPES else authenticate_user

    async def check_permission(caller: Annotated[Principal, Depends(authenticate)]) -> Principal:
        if permission not in caller.permissions:
            raise PermissionDenied(permission, role=caller.role, by_api_key=caller.api_key is not None)
        return caller

    return check_permission


def Require(permission: Permission) -> Any:  # noqa: N802 - reads as `Depends` and `Security` do
    """Declare what a route requires, in its signature.

    `caller: Annotated[Principal, Require(Permission.IMAGES_READ)]` is the caller, once the permission is checked.
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
        calls = {dependency.call for dependency in route.dependant.dependencies}
        declared = [permission for permission in Permission if check_of(permission) in calls]
        if len(declared) == 1 and _allow_everyone not in calls:
            return declared[0]
        if not declared and _allow_everyone in calls:
            return None
    raise UndeclaredRoute(
        f"{route} must declare what it requires: one parameter Annotated[Principal, Require(Permission.…)], "
        "or dependencies=[PUBLIC]"
    )


def document_permissions(router: APIRouter) -> None:
    """Add what each route of the router requires to its OpenAPI operation. Raises `UndeclaredRoute`."""
    for route in router.routes:
        permission = required_permission(route)
        if permission and isinstance(route, APIRoute):
            route.openapi_extra = {**(route.openapi_extra or {}), "x-required-permission": permission.value}
