"""Tenants in, objects out: `tests/data/operator/<case>/{tenant,objects}.yaml`.

After a wanted change run this file with UPDATE_GOLDEN=1 and review what became of `objects.yaml`. A changed pod
template restarts every tenant's pods on the next upgrade: that has to be wanted too.
"""

import os
from pathlib import Path

import pytest
import yaml

from imghost_operator import admission, tenant_objects
from imghost_operator.crd import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import APPLIED_ANNOTATION
from support.tenants import UID, given_for

CASES = Path(__file__).parents[1] / "data" / "operator"


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_objects_are_those_reviewed(case: str) -> None:
    """A tenant becomes exactly the objects that were reviewed."""
    manifest = yaml.safe_load((CASES / case / "tenant.yaml").read_text())
    assert admission.check(manifest) == []
    spec = Spec.model_validate(admission.with_defaults(manifest)["spec"])
    objects = [unstamped(obj) for obj in tenant_objects.build(manifest["metadata"]["name"], UID, spec, given_for(case))]
    expected = CASES / case / "objects.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(yaml.dump_all(objects, Dumper=Plain, sort_keys=False, width=120))
    assert objects == list(yaml.safe_load_all(expected.read_text()))


class Plain(yaml.SafeDumper):
    """YAML in which what occurs twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def unstamped(obj: Object) -> Object:
    """The object without the hash of itself, which would change with every other line."""
    metadata = {**obj["metadata"], "annotations": dict(obj["metadata"]["annotations"])}
    assert metadata["annotations"].pop(APPLIED_ANNOTATION)
    if not metadata["annotations"]:
        del metadata["annotations"]
    return {**obj, "metadata": metadata}
