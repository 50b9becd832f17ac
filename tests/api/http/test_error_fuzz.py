"""Generated requests to every route: whatever is sent, the response has a declared status and the declared shape."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.api import TenantDatabase, names
from support.api_processes import api_process
from support.hostile_text import IN_HEADERS, IN_JSON, IN_URLS
from support.processes import HOST

if TYPE_CHECKING:
    from schemathesis import Case
    from schemathesis.specs.openapi.schemas import OpenApiSchema

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data" / "openapi.json").read_text())
OPERATIONS = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]
CAMPAIGN = int(os.environ.get("FUZZ_EXAMPLES", "0"))  # of `make fuzz`: other requests each time
CREDENTIALS = ("none", "key", "token", "both", "forged")


@pytest.fixture(scope="module")
def url(
    tenant: TenantDatabase, store_root: Path, imaging_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of an api process that these tests have for themselves."""
    server = api_process(tenant, store_root, tmp_path_factory.mktemp("fuzz"), imaging_url=imaging_url)
    asyncio.run(server.start())
    yield f"http://{HOST}:{server.port}"
    assert server.stop() == 0


@pytest.fixture
def credentials(url: str) -> Mapping[str, dict[str, str]]:
    """Headers for each kind of credential, of an account of this test's own."""
    account = httpx.post(f"{url}/api/v1/auth/register", json=names(), trust_env=False).json()
    key, token = {"X-API-Key": account["api_key"]["key"]}, {"Authorization": f"Bearer {account['token']}"}
    forged = {"X-API-Key": account["api_key"]["key"][:-1] + "!"}
    return dict(zip(CREDENTIALS, ({}, key, token, {**key, **token}, forged), strict=True))


@pytest.fixture(scope="module")
def schema() -> "OpenApiSchema":
    """The document as a source of requests. Imported here: it takes 2 s, also in runs without these tests."""
    from schemathesis.openapi import from_dict

    return from_dict(DOCUMENT)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_response_is_a_declared_one(
    method: str, path: str, url: str, schema: "OpenApiSchema", credentials: Mapping[str, dict[str, str]]
) -> None:
    """Valid and invalid requests with every kind of credential get only declared statuses and shapes, and no 500."""
    from schemathesis.specs.openapi import checks

    declared = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
    operation = schema[path][method]

    @settings(
        max_examples=CAMPAIGN or 25,
        derandomize=not CAMPAIGN,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), credential=st.sampled_from(CREDENTIALS))
    def send(case: "Case", credential: str) -> None:
        response = case.call(base_url=url, headers=credentials[credential])
        assert response.status_code < 500, (credential, response.status_code, response.text)
        case.validate_response(response, checks=declared)

    send()


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, or the one that it refers to."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return DOCUMENT["components"]["schemas"][name] if name else schema


def list_places(method: str, path: str) -> list[tuple[str, str]]:
    """Where a client can put a value: each parameter and body field of an operation, and headers of every one."""
    operation = DOCUMENT["paths"][path][method]
    places = [(parameter["in"], parameter["name"]) for parameter in operation.get("parameters", ())]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        places += [("body", name) for name in resolve(body)["properties"]]
    return [*places, *(("header", name) for name in ("X-API-Key", "Authorization", "X-Request-Id", "Content-Type"))]


PLACES = [(method, path, *place) for method, path in OPERATIONS for place in list_places(method, path)]


def put(method: str, path: str, where: str, name: str, headers: dict[str, str]) -> Iterator[tuple[str, httpx.Request]]:
    """One request for each hostile value in that place; everything else in it is valid."""
    kept = {key: value for key, value in headers.items() if where != "header" or key.lower() != name.lower()}
    for label, value in {"path": IN_URLS, "query": IN_URLS, "body": IN_JSON}.get(where, IN_HEADERS).items():
        url, sent, content = path, list(kept.items()), None
        if where == "path":
            url = path.replace(f"{{{name}}}", str(value))
        elif where == "query":
            url = f"{path}?{name}={value}"
        elif where == "body":
            fields = {**names(), "identifier": "ada", "key_name": "key", name: "HERE"}
            content = json.dumps(fields).replace('"HERE"', str(value)).encode()
            sent.append(("Content-Type", "application/json"))
        else:
            sent.append((name, value))  # type: ignore[arg-type]
        yield label, httpx.Request(method, f"http://api.test{url}", headers=sent, content=content)


@pytest.mark.parametrize(("method", "path", "where", "name"), PLACES)
def test_no_value_of_a_parameter_makes_the_service_fail(
    method: str, path: str, where: str, name: str, url: str, credentials: Mapping[str, dict[str, str]]
) -> None:
    """NUL, surrogates, bytes that are no UTF-8, endless numbers and the like are a 4xx in every place, never a 500."""
    credential = credentials["none" if where == "header" and name == "X-API-Key" else "key"]
    with httpx.Client(trust_env=False) as client:
        for label, request in put(method, path, where, name, credential):
            request.url = request.url.copy_with(scheme="http", host=HOST, port=int(url.rpartition(":")[2]))
            response = client.send(request)
            assert response.status_code < 500, (label, response.status_code, response.text)
            if response.status_code >= 400:
                assert response.json()["success"] is False, (label, response.text)
