"""Which errors a route may respond with: said where they are raised, collected into `responses=` for OpenAPI."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from imghost_core.errors import HttpError, InvalidRequest, Unavailable
from imghost_core.problems import MEDIA_TYPE, ProblemType, to_problem_type

SCHEMA = "#/components/schemas/Problem"
_ATTRIBUTE = "__problem_types__"
_Function = TypeVar("_Function", bound=Callable[..., Any])


def raises(*errors: type[HttpError]) -> Callable[[_Function], _Function]:
    """Declare the errors of a route's function, or of a dependency, that it raises itself or lets pass."""

    def mark(function: _Function) -> _Function:
        setattr(function, _ATTRIBUTE, errors)
        return function

    return mark


def document_errors(router: APIRouter) -> None:
    """Give each route the `responses=` of the errors that it, its dependencies and its class declare."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            route.responses = {**_responses(_errors_of(route)), **route.responses}


def declared_errors(function: object) -> tuple[type[HttpError], ...]:
    """What `raises` declared for a function or class."""
    errors: tuple[type[HttpError], ...] = getattr(function, _ATTRIBUTE, ())
    return errors


def _errors_of(route: APIRoute) -> Iterator[type[HttpError]]:
    yield Unavailable
    yield from declared_errors(type(route))
    yield from declared_errors(route.endpoint)
    for dependant in _dependants(route.dependant):
        yield from declared_errors(dependant.call)
        if _has_validated_parameters(dependant):
            yield InvalidRequest


def _dependants(root: Dependant) -> Iterator[Dependant]:
    yield root
    for dependant in root.dependencies:
        yield from _dependants(dependant)


def _has_validated_parameters(dependant: Dependant) -> bool:
    return any((dependant.path_params, dependant.query_params, dependant.header_params, dependant.body_params))


def _responses(errors: Iterable[type[HttpError]]) -> dict[int | str, dict[str, Any]]:
    by_status: dict[int, dict[str, ProblemType]] = {}
    for error in errors:
        problem_type = to_problem_type(error)
        by_status.setdefault(problem_type.status, {}).setdefault(problem_type.code, problem_type)
    return {status: _response(by_status[status]) for status in sorted(by_status)}


def _response(types: dict[str, ProblemType]) -> dict[str, Any]:
    lines = [f"- `{code}`: {types[code].meaning}" for code in sorted(types)]
    return {"description": "\n".join(lines), "content": {MEDIA_TYPE: {"schema": {"$ref": SCHEMA}}}}
