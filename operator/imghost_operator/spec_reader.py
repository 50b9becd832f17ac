"""Reads a stored spec, which may have been written under another version of the CRD. Pure."""

import copy
from collections.abc import Mapping
from itertools import product
from typing import Any

from pydantic import ValidationError

from imghost_operator.crd import Spec, is_owned_secret, is_reserved
from imghost_operator.platform import Object


def read_spec(stored: Object) -> tuple[Spec, tuple[str, ...]]:
    """The spec without what this operator ignores, and the paths of that: unknown fields, and what is reserved.

    A newer CRD may be installed before its operator, or outlive a rollback of it; variables and Secrets may have been
    stored before they were reserved. Raises `ValidationError` when a known field does not fit.
    """
    allowed, reserved = _without_reserved(stored)
    spec, unknown = _without_unknown(allowed)
    return spec, (*unknown, *reserved)


def _without_reserved(stored: Object) -> tuple[Object, tuple[str, ...]]:
    """The stored spec without variables that would override ours, or choose the code or the servers of a pod, and
    without what would give pods a Secret of ours.
    """
    allowed, found = dict(stored), []
    for part, field in product(("api", "imaging", "worker"), ("env", "volumes")):
        items = (stored.get(part) or {}).get(field) or []
        kept = [each for each in items if not _is_refused(field, each)]
        if len(kept) < len(items):
            allowed[part] = {**allowed[part], field: kept}
            found += [f"spec.{part}.{field}.{each['name']}" for each in items if each not in kept]
    return allowed, tuple(found)


def _is_refused(field: str, item: Object) -> bool:
    if field == "volumes":
        return is_owned_secret(_at(item, "secret", "secretName"))
    return is_reserved(_at(item, "name")) or is_owned_secret(_at(item, "valueFrom", "secretKeyRef", "name"))


def _at(value: Any, *path: str) -> str:
    """The text at a path, whatever another version of the CRD has there."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return str(value or "")


def _without_unknown(stored: Object) -> tuple[Spec, tuple[str, ...]]:
    try:
        return Spec.model_validate(stored), ()
    except ValidationError as error:
        unknown = [each["loc"] for each in error.errors(include_input=False) if each["type"] == "extra_forbidden"]
        if len(unknown) < error.error_count():
            raise
    known = copy.deepcopy(stored)
    for place in unknown:
        _remove(known, place)
    return Spec.model_validate(known), tuple(sorted(_path(place) for place in unknown))


def first_error(error: ValidationError) -> str:
    """The field that does not fit, without its value: it may be a secret in the wrong field."""
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"{_path(problem['loc'])}: {problem['msg']}. Change it, or install the CRD that belongs to this operator."


def _remove(value: Any, place: tuple[int | str, ...]) -> None:
    *parents, last = place
    for part in parents:
        value = value[part]
    del value[last]


def _path(place: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in ("spec", *place))
