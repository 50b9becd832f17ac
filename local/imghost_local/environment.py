"""The environment of a container, from its manifest and what that refers to; without the user's own. Pure."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from imghost_operator.platform import Object

Lookup = Callable[[str, str], Object | None]
"""The object of this kind and name in the pod's namespace, or None."""

_REFERENCE = re.compile(r"\$(?:\$|\(([A-Za-z_][A-Za-z0-9_.-]*)\))")


class MissingReference(LookupError):
    """A Secret, a ConfigMap or a key of one that the manifest names does not exist (yet)."""


def environment(container: Object, lookup: Lookup, fields: Mapping[str, str]) -> dict[str, str]:
    """All variables: `envFrom` first, then `env` in order, the later one wins, as the kubelet does it.

    `fields` has the values of the downward API by field path, e.g. `status.podIP`. Raises `MissingReference`.
    """
    values: dict[str, str] = {}
    for source in container.get("envFrom", []):
        prefix = source.get("prefix", "")
        for kind, reference in _references(source):
            values |= {prefix + name: value for name, value in _data(kind, reference, lookup).items()}
    for variable in container.get("env", []):
        if (given := variable.get("valueFrom")) is None:
            values[variable["name"]] = expand(variable.get("value", ""), values)
        elif (value := _value_from(given, lookup, fields)) is not None:
            values[variable["name"]] = value
    return values


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` replaced by its value when there is one, `$$` by `$`."""

    def replace(match: re.Match[str]) -> str:
        return "$" if match[1] is None else values.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def _value_from(given: Object, lookup: Lookup, fields: Mapping[str, str]) -> str | None:
    """The value; None where there is none and that is allowed."""
    path = given.get("fieldRef", {}).get("fieldPath")
    if path in fields:
        return fields[path]
    for kind, reference in _references(given):
        try:
            return _data(kind, reference, lookup)[reference["key"]]
        except LookupError as error:
            if reference.get("optional"):
                return None
            if isinstance(error, MissingReference):
                raise
            raise MissingReference(f"{kind} {reference['name']} has no key {reference['key']}") from None
    raise MissingReference(f"nothing here provides {path or ', '.join(given)}")


def _references(source: Object) -> list[tuple[str, dict[str, Any]]]:
    kinds = {
        "secretRef": "Secret",
        "secretKeyRef": "Secret",
        "configMapRef": "ConfigMap",
        "configMapKeyRef": "ConfigMap",
    }
    return [(kinds[name], reference) for name, reference in source.items() if name in kinds]


def _data(kind: str, reference: Object, lookup: Lookup) -> dict[str, str]:
    found = lookup(kind, reference["name"])
    if found is None:
        raise MissingReference(f"{kind} {reference['name']} does not exist")
    data: dict[str, str] = found.get("data", {})
    if kind == "Secret":
        data = {name: base64.b64decode(value).decode() for name, value in data.items()}
    return data
