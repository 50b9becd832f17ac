"""Defaulting and pruning along a structural schema, as `apiextensions-apiserver/pkg/apiserver/schema` does."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from imghost_operator.platform import Object

# ObjectMeta is known to the server, not to our schema.
_METADATA = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


def fill(value: Any, schema: Object) -> Any:
    """A copy with defaults in place of what is absent or null."""
    if isinstance(value, Mapping):
        return _filled_object(value, schema)
    if isinstance(value, list):
        return [fill(item, schema.get("items", {})) for item in value]
    return value


def unknown(manifest: Mapping[str, Any], schema: Object) -> list[str]:
    """Paths of members that the schema does not have."""
    metadata = manifest.get("metadata")
    strangers = [f"metadata.{key}" for key in metadata if key not in _METADATA] if isinstance(metadata, Mapping) else []
    body = {key: value for key, value in manifest.items() if key != "metadata"}
    return strangers + list(_unknown(body, schema, ""))


def _filled_object(value: Mapping[str, Any], schema: Object) -> Object:
    members = schema.get("properties", {})
    result = {
        key: fill(member, members.get(key, schema.get("additionalProperties", {})))
        for key, member in value.items()
        if member is not None
    }
    for key, member in members.items():
        if key not in result and "default" in member:
            result[key] = fill(deepcopy(member["default"]), member)
    return result


def _unknown(value: Any, schema: Object, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        members, others = schema.get("properties", {}), schema.get("additionalProperties")
        for key, member in value.items():
            child = members.get(key, others)
            here = f"{path}.{key}" if path else str(key)
            if child is None:
                yield here
            else:
                yield from _unknown(member, child, here)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, schema.get("items", {}), f"{path}[{index}]")
