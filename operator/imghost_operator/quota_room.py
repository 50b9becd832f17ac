"""What a ResourceQuota or LimitRange keeps from starting, and what to do. Pure.

A refused pod of a Deployment is in its status, in the cluster's words. A refused pod of a Job is only in an event, so
it is found out from the quota itself.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from typing import Any

from imghost_operator import quantity
from imghost_operator.platform import Object, ObjectRef

OURS = "compute"
"""The ResourceQuota that the operator makes from `spec.quota.compute`."""
_RAISE = "raise spec.quota.compute, or ask for fewer or smaller pods"
_ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory"}  # of a ResourceQuota
_EXCEEDED = re.compile(r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)")


def explain(text: str) -> str | None:
    """What a refusal by a quota or a LimitRange means; None when it is something else."""
    if found := _EXCEEDED.search(text):
        name, asked, used, hard = found[1], *map(_amounts, found.groups()[1:])
        with suppress(ValueError):  # a quantity in another notation, such as 2e9
            return _sentence(name, [_line(key, asked[key], used.get(key), hard[key]) for key in asked if key in hard])
    if "exceeded quota" in text:
        return f"{text}; {_RAISE}"
    if re.search(r"(minimum|maximum) .* per (Container|Pod)", text):
        return f"{text}; a LimitRange of the namespace says so: change it, or the resources in the spec"
    return None


def shortage(template: Mapping[str, Any], live: Mapping[ObjectRef, Object]) -> str | None:
    """Why a pod of this template does not fit into what is left of a quota among `live`; None when it fits.

    Also None when a quantity is in another notation than ours.
    """
    with suppress(ValueError):
        return _find_shortage(template, live)
    return None


def _find_shortage(template: Mapping[str, Any], live: Mapping[ObjectRef, Object]) -> str | None:
    needed = _needs(template["spec"], live)
    for ref, found in live.items():
        if ref.kind != "ResourceQuota" or _is_scoped(found):
            continue
        status = found.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        short = (
            key
            for key in sorted(needed.keys() & hard.keys())
            if needed[key] > quantity.parse(hard[key]) - quantity.parse(used.get(key, "0"))
        )
        if lines := [_line(key, _text(key, needed[key]), used.get(key), hard[key]) for key in short]:
            return _sentence(ref.name, lines)
    return None


def _is_scoped(quota: Object) -> bool:
    """Whether a quota is for some pods only. Which ones is for the API server to say; a refusal reports it."""
    spec = quota.get("spec") or {}
    return bool(spec.get("scopes") or spec.get("scopeSelector"))


def _needs(pod: Mapping[str, Any], live: Mapping[ObjectRef, Object]) -> dict[str, Fraction]:
    """What a pod counts for in a quota, with what a LimitRange adds to its containers."""
    total: dict[str, Fraction] = {"pods": Fraction(1)}
    default, default_request = _defaults(live)
    for container in pod["containers"]:
        given = container.get("resources") or {}
        limits = {**default, **(given.get("limits") or {})}
        requests = {**default_request, **(given.get("limits") or {}), **(given.get("requests") or {})}
        for kind, amounts in (("limits", limits), ("requests", requests)):
            for resource, amount in amounts.items():
                key = f"{kind}.{resource}"
                total[key] = total.get(key, Fraction(0)) + quantity.parse(amount)
    return total | {short: total[key] for short, key in _ALIASES.items() if key in total}


def _defaults(live: Mapping[ObjectRef, Object]) -> tuple[dict[str, str], dict[str, str]]:
    """Limits and requests that containers without them get."""
    found: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for limit in _limits(live):
        found[0].update(limit.get("default") or {})
        found[1].update(limit.get("defaultRequest") or {})
    return found


def _limits(live: Mapping[ObjectRef, Object]) -> Iterator[Mapping[str, Any]]:
    for ref, found in live.items():
        if ref.kind == "LimitRange":
            yield from (limit for limit in found["spec"]["limits"] if limit["type"] == "Container")


def _amounts(text: str) -> dict[str, str]:
    return dict(pair.partition("=")[::2] for pair in text.split(","))


def _sentence(name: str, lines: list[str]) -> str:
    advice = _RAISE if name == OURS else "ask the owner of this quota for more, or ask for fewer or smaller pods"
    return f"ResourceQuota {name}: {'; '.join(lines)}; {advice}"


def _line(key: str, needed: str, used: str | None, hard: str) -> str:
    left = max(Fraction(0), quantity.parse(hard) - quantity.parse(used or "0"))
    return f"{key}: {needed} needed, {_text(key, left)} of {hard} left"


def _text(key: str, amount: Fraction) -> str:
    """An amount as people write it: memory in powers of 1024, everything else in powers of 1000."""
    if "memory" in key or "storage" in key:
        return quantity.canonical(f"{-(-amount // 1024)}Ki")
    return quantity.canonical(f"{-(-amount * 1000 // 1)}m")
