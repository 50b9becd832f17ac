"""Strings that are not text: NUL characters and unpaired surrogates, wherever a client can send them."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

from imghost_api.features import FEATURES
from imghost_api.http.fields import require_text
from support.api import Person, names, problem

JSON_TYPE = {"Content-Type": "application/json"}
ROUTES = [route for feature in FEATURES for router in feature.routers for route in router.routes]


def untyped(annotation: Any, metadata: tuple[Any, ...], name: str) -> Iterator[str]:
    """The names of strings below `annotation` that are not of the type of text."""
    if get_origin(annotation) is Annotated:
        inner, *added = get_args(annotation)
        yield from untyped(inner, (*metadata, *added), name)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for field, info in annotation.model_fields.items():
            yield from untyped(info.annotation, tuple(info.metadata), f"{name}.{field}")
    elif get_args(annotation):
        for inner in get_args(annotation):
            yield from untyped(inner, metadata, name)
    elif annotation in {str, SecretStr}:
        checks = {found.func for found in metadata if isinstance(found, BeforeValidator)}
        if require_text not in checks:
            yield name


def parameters(dependant: Dependant) -> Iterator[tuple[str, FieldInfo]]:
    """Every parameter of a route and of what it depends on."""
    for kind in (dependant.path_params, dependant.query_params, dependant.header_params, dependant.body_params):
        yield from ((field.name, field.field_info) for field in kind)
    for inner in dependant.dependencies:
        yield from parameters(inner)


def test_every_string_of_a_request_has_the_type_of_text() -> None:
    """No parameter and no field of a request body is a bare string."""
    routes = [route for route in ROUTES if isinstance(route, APIRoute)]
    found = {
        f"{route.path}: {bare}"
        for route in routes
        for name, info in parameters(route.dependant)
        for bare in untyped(info.annotation, tuple(info.metadata), name)
    }
    assert len(routes) > 10
    assert not found


@pytest.mark.parametrize("value", [r"a\u0000b", r"\ud800", r"\udfff@example.org"])
@pytest.mark.parametrize("field", ["first_name", "last_name", "username", "email", "password"])
async def test_they_are_rejected_in_every_field(api: httpx.AsyncClient, field: str, value: str) -> None:
    """In any field of a body they are a 400 that names the field, never a failure of this service."""
    body = json.dumps({**names(), field: "HERE"}).replace("HERE", value)
    response = await api.post("/api/v1/auth/register", content=body, headers=JSON_TYPE)
    document = problem(response, 400, "invalid_request")
    assert [error["field"] for error in document["errors"]] == [field]
    assert "NUL" in document["detail"]


async def test_they_are_rejected_in_names_of_fields(api: httpx.AsyncClient) -> None:
    """A field whose name is no text is a 400 in which the name is readable text."""
    body = r'{"identifier": "ada", "password": "secret", "a\u0000\ud800": 1}'
    document = problem(await api.post("/api/v1/auth/login", content=body, headers=JSON_TYPE), 400, "invalid_request")
    json.dumps(document, ensure_ascii=False).encode()


@pytest.mark.parametrize("value", ["a%00b", "%00"])
async def test_they_are_rejected_in_paths_and_queries(ada: Person, value: str) -> None:
    """In a path or a query they are a 400 that names the parameter."""
    deleted = problem(await ada.client.delete(f"/images/{value}", headers=ada.key), 400, "invalid_request")
    assert [error["field"] for error in deleted["errors"]] == ["image_id"]
    listed = problem(await ada.client.get(f"/images?cursor={value}", headers=ada.key), 400, "invalid_request")
    assert [error["field"] for error in listed["errors"]] == ["cursor"]
    revoked = await ada.client.delete(f"/api/v1/api-keys/{value}", headers=ada.token)
    problem(revoked, 400, "invalid_request")
