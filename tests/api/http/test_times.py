"""Times in responses: one format on every route, described so in OpenAPI."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from imghost_core.timestamps import PATTERN
from support import sample_images
from support.api import Person

_LOOKS_LIKE_A_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]")


@pytest.mark.requirement("000-W8")
async def test_every_time_of_every_route_has_one_format(ada: Person) -> None:
    """Each property that a response of any route describes as a time is written in the one format, and no other
    property holds a time.
    """
    document = (await ada.client.get("/openapi.json")).json()
    described = dict(_described(document["components"]["schemas"]))
    assert {name: schema.get("pattern") for name, schema in described.items()} == dict.fromkeys(described, PATTERN)
    uploaded = await ada.upload(sample_images.photo(64, 48))
    bodies = [ada.registration, uploaded.json()]
    for path, methods in document["paths"].items():
        if "get" in methods and "image/*" not in methods["get"]["responses"]["200"]["content"]:
            response = await ada.client.get(path, headers=ada.token)
            assert response.status_code == 200, response.text
            bodies.append(response.json())
    found = [time for body in bodies for time in _times(body)]
    assert [(name, text) for name, text in found if not re.fullmatch(PATTERN, text)] == []
    assert {name for name, _ in found} | {"delete_scheduled_for", "last_used_at"} == described.keys()  # null at first


def _described(schemas: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names of properties that are times, of every schema, with their description."""
    for schema in schemas.values():
        for name, described in schema.get("properties", {}).items():
            for variant in described.get("anyOf", [described]):
                if variant.get("format") in {"date-time", "date", "time"}:
                    yield name, variant


def _times(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Names and texts of all that looks like a time, at any depth."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _times(member, key)
    elif isinstance(value, list):
        for member in value:
            yield from _times(member, name)
    elif isinstance(value, str) and _LOOKS_LIKE_A_TIME.match(value):
        yield name, value
