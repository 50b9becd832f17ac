"""Check a value against a structural schema, with the messages of kube-apiserver."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imghost_operator.platform import Object

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


@dataclass(frozen=True, slots=True)
class Error:
    """One error. `blocks_rules`: the server then skips the CEL rules."""

    path: str
    text: str
    blocks_rules: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def check(value: Any, schema: Object, path: str = "") -> list[Error]:
    """All errors of a value with defaults."""
    return list(_check(value, schema, path))


def under(path: str, key: str) -> str:
    """The path of a member."""
    return f"{path}.{key}" if path else key


def quote(value: Any) -> str:
    """A value as an error quotes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _check(value: Any, schema: Object, path: str) -> Iterator[Error]:
    wanted = _wanted(schema)
    if wanted and not any(_TYPES[name](value) for name in wanted):
        found = next((name for name, fits in _TYPES.items() if fits(value)), "null")
        yield Error(
            path,
            f'Invalid value: "{found}": {path} in body must be of type {",".join(wanted)}: "{found}"',
            blocks_rules=True,
        )
    yield from _check_enum(value, schema, path)
    if isinstance(value, str):
        yield from _check_string(value, schema, path)
    elif isinstance(value, list):
        yield from _check_list(value, schema, path)
    elif isinstance(value, Mapping):
        yield from _check_object(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _check_number(value, schema, path)


def _wanted(schema: Object) -> list[str]:
    if schema.get("x-kubernetes-int-or-string"):
        return ["integer", "string"]
    return [schema["type"]] if "type" in schema else []


def _check_enum(value: Any, schema: Object, path: str) -> Iterator[Error]:
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(map(quote, schema["enum"]))
        yield Error(path, f"Unsupported value: {quote(value)}: supported values: {supported}", blocks_rules=True)


def _check_string(value: str, schema: Object, path: str) -> Iterator[Error]:
    """The first error only, as the server reports it."""
    pattern = schema.get("pattern")
    if len(value) > schema.get("maxLength", len(value)):
        yield Error(path, f"Too long: may not be more than {schema['maxLength']} bytes", blocks_rules=True)
    elif len(value) < schema.get("minLength", 0):
        yield _invalid(path, value, f"should be at least {schema['minLength']} chars long")
    # In Go `$` is the very end, in Python also the place before a last line break.
    elif pattern and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield _invalid(path, value, f"should match '{pattern}'")


def _check_number(value: float, schema: Object, path: str) -> Iterator[Error]:
    if value > schema.get("maximum", value):
        yield _invalid(path, value, f"should be less than or equal to {schema['maximum']}")
    if value < schema.get("minimum", value):
        yield _invalid(path, value, f"should be greater than or equal to {schema['minimum']}")


def _check_list(value: list[Any], schema: Object, path: str) -> Iterator[Error]:
    if len(value) > schema.get("maxItems", len(value)):
        yield _too_many(path, len(value), schema["maxItems"])
    if len(value) < schema.get("minItems", 0):
        body = f"{path} in body should have at least {schema['minItems']} items"
        yield Error(path, f"Invalid value: {len(value)}: {body}")
    for index, item in enumerate(value):
        yield from _check(item, schema.get("items", {}), f"{path}[{index}]")
    yield from _check_unique(value, schema, path)


def _check_unique(value: list[Any], schema: Object, path: str) -> Iterator[Error]:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys", [])
    for index, item in enumerate(value):
        if kind == "map" and not isinstance(item, Mapping | None):
            text = f"Invalid value: {quote(item)}: must be an object for an array of list-type map"
            yield Error(f"{path}[{index}]", text)
            return
    seen: list[Any] = []
    for index, item in enumerate(value):
        identity = {key: item[key] for key in keys if key in (item or {})} if kind == "map" else item
        if kind in {"map", "set"} and seen.count(identity) == 1:  # reported once, however often it is repeated
            yield Error(f"{path}[{index}]", f"Duplicate value: {quote(identity)}")
        seen.append(identity)


def _check_object(value: Mapping[str, Any], schema: Object, path: str) -> Iterator[Error]:
    if len(value) > schema.get("maxProperties", len(value)):
        yield _too_many(path, len(value), schema["maxProperties"])
    for key in schema.get("required", []):
        if key not in value:
            yield Error(under(path, key), "Required value", blocks_rules=True)
    members, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    for key, member in value.items():
        yield from _check(member, members.get(key, others), under(path, key))


def _invalid(path: str, value: Any, text: str) -> Error:
    return Error(path, f"Invalid value: {quote(value)}: {path} in body {text}")


def _too_many(path: str, count: int, limit: int) -> Error:
    return Error(path, f"Too many: {count}: must have at most {limit} items", blocks_rules=True)
