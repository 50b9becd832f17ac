"""Evaluate the CEL rules (`x-kubernetes-validations`) of a structural schema, including transition rules."""

import ipaddress
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import cel

from imghost_operator import quantity
from imghost_operator.admission.schema import quote, under
from imghost_operator.crd.schema import ONLY_NEW
from imghost_operator.platform import Object

_ABSENT = object()


def check(value: Any, schema: Object, old: Any = None) -> list[str]:
    """The messages of the rules that do not hold."""
    return list(_check(value, schema, "", _ABSENT if old is None else old))


def _check(value: Any, schema: Object, path: str, old: Any) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", []):
        if rule.get("optionalOldSelf") and old is not _ABSENT:
            continue  # ours of this kind hold for every change of what exists (`schema.ONLY_NEW`)
        if not _holds(rule["rule"].removeprefix(ONLY_NEW), value, old):
            place = rule.get("fieldPath", "").lstrip(".") or path
            shown = "" if isinstance(value, Mapping | list) else f"{quote(value)}: "
            yield f"{place}: Invalid value: {shown}{rule['message']}"
    if isinstance(value, Mapping):
        members, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, member in value.items():
            before = old.get(key, _ABSENT) if isinstance(old, Mapping) else _ABSENT
            yield from _check(member, members.get(key, others), under(path, key), before)
    elif isinstance(value, list):
        for index, item in enumerate(value):  # items of a list are not matched with what they were
            yield from _check(item, schema.get("items", {}), f"{path}[{index}]", _ABSENT)


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
    return cel.Context(variables, {"quantity": str, "isGreaterThan": _is_greater, "isCIDR": _is_cidr})


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
