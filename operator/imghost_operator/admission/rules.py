"""Evaluate the CEL rules (`x-kubernetes-validations`) of a structural schema, including transition rules."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import cel

from imghost_operator import quantity
from imghost_operator.admission.schema import quote, under
from imghost_operator.crd.schema import ONLY_NEW
from imghost_operator.platform import Object

_ABSENT = object()


def check(value: Any, schema: Object, old: Any = None) -> list[str]:
    """The messages of the rules that do not hold. Rules of a part that did not change are not looked at again."""
    return list(_check(value, schema, "", _ABSENT if old is None else old))


def _check(value: Any, schema: Object, path: str, old: Any) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", []):
        if rule.get("optionalOldSelf") and old is not _ABSENT:
            continue  # ours of this kind hold for every change of what exists (`schema.ONLY_NEW`)
        if not _holds(rule["rule"].removeprefix(ONLY_NEW), value, old):
            place = rule.get("fieldPath", "").lstrip(".") or path
            shown = "" if isinstance(value, Mapping | list) else f"{quote(value)}: "
            yield f"{place}: Invalid value: {shown}{rule['message']}"
    for here, member, child, before in _members(value, schema, path, old):
        if before is _ABSENT or before != member:
            yield from _check(member, child, here, before)


def _members(value: Any, schema: Object, path: str, old: Any) -> Iterator[tuple[str, Any, Object, Any]]:
    """Path, value, schema and former value of each part; items of a list have a former value if they have keys."""
    if isinstance(value, Mapping):
        members, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, member in value.items():
            before = old.get(key, _ABSENT) if isinstance(old, Mapping) else _ABSENT
            yield under(path, key), member, members.get(key, others), before
    elif isinstance(value, list):
        keys = schema.get("x-kubernetes-list-map-keys", [])
        known = {tuple(item.get(key) for key in keys): item for item in old} if keys and isinstance(old, list) else {}
        for index, item in enumerate(value):
            before = known.get(tuple(item.get(key) for key in keys), _ABSENT) if keys else _ABSENT
            yield f"{path}[{index}]", item, schema.get("items", {}), before


def _holds(rule: str, value: Any, old: Any) -> bool:
    program = _program(rule)
    if "oldSelf" in program.variables():
        return old is _ABSENT or bool(program.execute(_context(self=value, oldSelf=old)))
    return bool(program.execute(_context(self=value)))


@cache
def _program(rule: str) -> Any:
    return cel.compile(rule)


def _context(**variables: Any) -> Any:
    """The variables, and the parts of Kubernetes' libraries that our rules use."""
    functions: dict[str, Callable[..., Any]] = {
        "quantity": str,
        "isGreaterThan": _is_greater,
        "isCIDR": _is_cidr,
        "upperAscii": _upper,
    }
    return cel.Context(variables, functions)


def _upper(text: str) -> str:
    """As Kubernetes' `upperAscii`: other letters stay as they are."""
    return "".join(letter.upper() if letter.isascii() else letter for letter in text)


def _is_cidr(text: str) -> bool:
    """Kubernetes' own `isCIDR`: stricter than Python about zones, netmasks, leading zeros and IPv4 in IPv6."""
    address, _, prefix = text.partition("/")
    try:
        network = ipaddress.ip_network(text, strict=False)
        inside = ipaddress.ip_address(address)
    except ValueError:
        return False
    is_mapped = isinstance(inside, ipaddress.IPv6Address) and inside.ipv4_mapped is not None
    return not is_mapped and "%" not in text and prefix == str(network.prefixlen)


def _is_greater(one: str, other: str) -> bool:
    """A value that is no quantity breaks no rule here: the schema reports it, with a better message."""
    try:
        return quantity.parse(one) > quantity.parse(other)
    except ValueError:
        return False
