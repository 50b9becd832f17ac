"""The OpenAPI document is true and changes only on purpose."""

import json
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from imghost_api.access.permissions import Permission

SNAPSHOT = Path(__file__).parents[2] / "data" / "openapi.json"
METHODS = ("get", "post", "put", "delete")


@pytest.fixture
async def document(api: httpx.AsyncClient) -> dict[str, Any]:
    made: dict[str, Any] = (await api.get("/openapi.json")).json()
    return made


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, item[method]) for path, item in document["paths"].items() for method in METHODS if method in item
    ]


async def test_the_document_is_the_recorded_one(document: dict[str, Any]) -> None:
    """The document equals its snapshot; run with UPDATE_GOLDEN=1 to record a change on purpose."""
    if os.environ.get("UPDATE_GOLDEN"):
        SNAPSHOT.write_text(json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    assert document == json.loads(SNAPSHOT.read_text())


@pytest.mark.requirement(
    "000-R1",
    "000-R2",
    "000-R5",
    "000-R6",
    "000-R8",
    "000-R9",
    "000-R10",
    "000-R12",
    "000-R13",
    "000-R14",
    "000-R15",
    "X6",
)
async def test_every_named_route_is_there(document: dict[str, Any]) -> None:
    """The routes that the requirements name exist under those very names."""
    assert {
        ("post", "/api/v1/auth/register"),
        ("post", "/api/v1/auth/login"),
        ("get", "/api/v1/account"),
        ("put", "/api/v1/account"),
        ("get", "/api/v1/api-keys"),
        ("post", "/api/v1/api-keys"),
        ("delete", "/api/v1/api-keys/{key_id}"),
        ("post", "/upload"),
        ("get", "/images"),
        ("delete", "/images/{image_id}"),
        ("get", "/upload/quota"),
    } <= {(method, path) for path, method, _ in operations(document)}


@pytest.mark.requirement("X6")
async def test_aliases_are_marked(document: dict[str, Any]) -> None:
    """Every path outside /api/v1 is an alias that names the path it stands for, except the well-known one."""
    for path, method, operation in operations(document):
        if not path.startswith(("/api/v1/", "/.well-known/")):
            assert operation["x-alias-of"] in document["paths"], path
            assert method in document["paths"][operation["x-alias-of"]], path


async def test_operations_are_complete(document: dict[str, Any]) -> None:
    """Every operation has an id of its own and a summary, and every error it declares is a problem document."""
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, _, operation in operations(document):
        assert operation["summary"], path
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, (path, status)


async def test_operations_name_the_permission_they_require(document: dict[str, Any]) -> None:
    """Every operation with a credential names its permission and documents a 403; public ones do neither."""
    for path, method, operation in operations(document):
        permission = operation.get("x-required-permission")
        assert (permission is not None) == ("security" in operation), (method, path)
        assert permission is None or (permission in set(Permission) and "403" in operation["responses"]), path


async def test_every_route_that_asks_for_a_credential_refuses_without(
    api: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    """No route of a signed-in user answers a stranger with anything but 401."""
    guarded = [(path, method) for path, method, operation in operations(document) if "security" in operation]
    assert len(guarded) >= 12
    for path, method in guarded:
        response = await api.request(method.upper(), path.format(image_id="x", key_id="x"), json={"key_name": "k"})
        assert (response.status_code, response.json()["code"]) == (401, "unauthorized"), path


async def test_the_docs_page_needs_no_other_host(api: httpx.AsyncClient) -> None:
    """/docs shows the document with scripts and styles that we serve ourselves."""
    response = await api.get("/docs")
    assert response.status_code == 200
    assert "/openapi.json" in response.text
    parts = re.findall(r'(?:src|href)="([^"]+)"', response.text)
    assert {part.rpartition(".")[2] for part in parts} >= {"js", "css"}
    assert [(await api.get(part)).status_code for part in parts if part.startswith("/")] == [200] * len(parts)


async def test_no_redirect_follows_the_host_of_a_request(api: httpx.AsyncClient) -> None:
    """A path with a slash too many is unknown, not a redirect to whatever host the request named."""
    response = await api.get("/images/", headers={"Host": "evil.test"})
    assert response.status_code == 404
    assert "evil.test" not in response.text + str(response.headers)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/upload", 405)])
async def test_unknown_paths_and_methods_are_problems(
    api: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """An unknown path or method is a problem document."""
    response = await api.request(method, path)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
