"""Validate a manifest as the API server would, with its messages, where there is no API server."""

from collections.abc import Mapping
from typing import Any

from imghost_operator import crd
from imghost_operator.admission import identity, rules, schema
from imghost_operator.admission.defaults import fill, unknown
from imghost_operator.platform import Object


def check(manifest: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[str]:
    """The errors of a manifest of an ImageHostTenant, one line each; `old` is the object that it would replace.

    As in the cluster, an unknown field or another kind of object ends the check, and CEL rules are skipped while a
    schema error makes their results meaningless.
    """
    if problems := identity.check(manifest):
        return problems
    if names := unknown(manifest, crd.root()):
        return [f'unknown field "{name}"' for name in names]
    complete = with_defaults(manifest)
    problems = identity.check_name(complete)
    found = schema.check(complete, crd.root())
    problems += [str(error) for error in found]
    if not any(error.blocks_rules for error in found):
        problems += rules.check(complete, crd.root(), with_defaults(old) if old else None)
    return problems


def with_defaults(manifest: Mapping[str, Any]) -> Object:
    """The manifest as the cluster would store it: every default written out, without nulls."""
    complete: Object = fill(manifest, crd.root())
    return complete
