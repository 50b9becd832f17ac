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
