"""Tenants in, objects out: `tests/data/operator`.

`minimal/objects.yaml` has every object of one tenant, `<case>/delta.yaml` what another tenant has differently. After an
intended change run this file with UPDATE_GOLDEN=1 and review the difference. A changed pod template restarts every
tenant's pods on the next upgrade: that has to be intended too.
"""

import os
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml

from imghost_operator import admission, tenant_objects
from imghost_operator.crd import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import APPLIED_ANNOTATION
from support.tenants import UID, given_for

CASES = Path(__file__).parents[1] / "data" / "operator"
BASE = "minimal"
ABSENT = "(absent)"


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_a_tenant_becomes_the_reviewed_objects(case: str) -> None:
    """A tenant becomes exactly the objects that were reviewed."""
    built = built_for(case)
    if case == BASE:
        check(CASES / case / "objects.yaml", list(built.values()))
    else:
        check(CASES / case / "delta.yaml", [delta(built_for(BASE), built)])


def test_a_delta_shows_every_difference() -> None:
    """An object more or less, a field more, less or another, and another number of list items are all listed."""
    base = {"A a": {"x": [1, 2], "y": {"z": 1}}, "B b": {}}
    assert delta(base, base) == {}
    assert delta(base, {"A a": {"x": [1, 3], "y": {"w": 2}}, "C c": {"n": 1}}) == {
        "changed": {"A a": {"x.1": 3, "y.w": 2, "y.z": ABSENT}},
        "removed": ["B b"],
        "added": [{"n": 1}],
    }
    assert delta(base, {**base, "A a": {"x": [1], "y": {"z": 1}}}) == {"changed": {"A a": {"x.1": ABSENT}}}


def check(expected: Path, documents: list[Object]) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(yaml.dump_all(documents, Dumper=Plain, sort_keys=False, width=120))
    assert documents == list(yaml.safe_load_all(expected.read_text()))


def built_for(case: str) -> dict[str, Object]:
    """The objects of a case by a name that stays the same when the hash in a Job's name changes."""
    manifest = yaml.safe_load((CASES / case / "tenant.yaml").read_text())
    assert admission.check(manifest) == []
    spec = Spec.model_validate(admission.with_defaults(manifest)["spec"])
    built = tenant_objects.build(manifest["metadata"]["name"], UID, spec, given_for(case))
    return {
        re.sub("-[0-9a-f]{10}$", "", f"{item.kind} {item.ref.name}"): remove_stamps(item.manifest) for item in built
    }


def delta(base: dict[str, Object], other: dict[str, Object]) -> Object:
    """What `other` has differently: fields by their path, whole objects that only one of both has."""
    changed = {name: dict(differences(base[name], other[name])) for name in other if name in base}
    parts = {
        "changed": {name: fields for name, fields in changed.items() if fields},
        "removed": [name for name in base if name not in other],
        "added": [obj for name, obj in other.items() if name not in base],
    }
    return {part: content for part, content in parts.items() if content}


def differences(base: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(base, dict) and isinstance(other, dict):
        for key in [*other, *(key for key in base if key not in other)]:
            yield from differences(base.get(key, ABSENT), other.get(key, ABSENT), f"{path}.{key}" if path else key)
    elif isinstance(base, list) and isinstance(other, list):
        for index, (old, new) in enumerate(zip_longest(base, other, fillvalue=ABSENT)):
            yield from differences(old, new, f"{path}.{index}")
    elif base != other:
        yield path, other


class Plain(yaml.SafeDumper):
    """YAML in which what occurs twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def remove_stamps(obj: Object) -> Object:
    """The object without the hash of itself, which would change with every other line."""
    metadata = {**obj["metadata"], "annotations": dict(obj["metadata"]["annotations"])}
    assert metadata["annotations"].pop(APPLIED_ANNOTATION)
    if not metadata["annotations"]:
        del metadata["annotations"]
    return {**obj, "metadata": metadata}
