"""Reads a stored spec, which may have been written under another version of the CRD. Pure."""

import copy
from typing import Any

from pydantic import ValidationError

from imghost_operator.crd import Spec
from imghost_operator.platform import Object


def read_spec(stored: Object) -> tuple[Spec, tuple[str, ...]]:
    """The spec without fields that this operator does not know, and the paths of these.

    A newer CRD may be installed before its operator, or outlive a rollback of it. Raises `ValidationError` when a known
    field does not fit.
    """
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
