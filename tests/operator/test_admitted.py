"""What is remembered of the workloads that admission webhooks change."""

from copy import deepcopy

from imghost_operator import tenant_objects
from imghost_operator.admitted import Admitted
from imghost_operator.built_object import BuiltObject
from support.tenants import UID, inputs, spec_of


def deployment() -> BuiltObject:
    built = tenant_objects.build("demo", UID, spec_of(), inputs())
    return next(each for each in built if each.kind == "Deployment")


def test_what_a_webhook_made_is_expected_until_something_else_is_built() -> None:
    """Its image is expected from then on; of a new build nothing is known yet."""
    admitted, built = Admitted(), deployment()
    stored = deepcopy(built.manifest)
    stored["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror.test/api"
    assert admitted.note(built, stored) == ["/spec/template/spec/containers/0/image"]
    expected = admitted.expect(built, stored).admitted
    assert expected
    assert expected["spec"]["template"]["spec"]["containers"][0]["image"] == "mirror.test/api"


def test_a_webhook_that_removes_annotations_is_no_failure() -> None:
    """Without the annotation that says what was built, nothing is expected: the object is compared as built."""
    admitted, built = Admitted(), deployment()
    stored = deepcopy(built.manifest)
    del stored["metadata"]["annotations"]
    stored["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror.test/api"
    assert admitted.note(built, stored)
    assert admitted.expect(built, stored) == built
