"""The Jobs that migrate the database: one expands the schema before the rollout, one contracts it afterwards."""

from typing import Literal

from imghost_operator.build_inputs import BuildInputs
from imghost_operator.built_object import BuiltObject, Requirement
from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import Owner, digest
from imghost_operator.tenant_objects.pods import container, pod
from imghost_operator.tenant_objects.scheduling import place

DEADLINE_SECONDS = 900
COMMAND = ["python", "-m", "imghost_api", "migrate"]

Phase = Literal["pre", "post"]


def migrations(owner: Owner, spec: Spec, inputs: BuildInputs) -> list[BuiltObject]:
    """Both Jobs: `pre` comes before the Deployments change, `post` when no pod of another release is left."""
    before = frozenset({Requirement.DATABASE})
    after = before | {Requirement.EXPANDED_SCHEMA, Requirement.ROLLOUT}
    return [
        BuiltObject(_job(owner, "pre", spec, inputs), before, Requirement.EXPANDED_SCHEMA),
        BuiltObject(_job(owner, "post", spec, inputs), after, Requirement.CONTRACTED_SCHEMA),
    ]


def _job(owner: Owner, phase: Phase, spec: Spec, inputs: BuildInputs) -> Object:
    """A Job cannot be changed, so its name depends on all it does: a new image or a new database is a new Job.

    So is a new place: a Job whose pod fits on no node would otherwise wait there until its deadline. It runs the image
    of the api, so where the api runs.
    """
    where = place(spec.api.scheduling or spec.scheduling, owner.selector("migrate"))
    main = container("migrate", [*COMMAND, phase], spec.api.image or inputs.release.api_image, inputs)
    main["resources"] = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
    body = {
        "backoffLimit": 3,
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "template": {
            "metadata": {"labels": owner.labels("migrate")},
            "spec": pod("migrate", main, "64Mi", inputs) | {"restartPolicy": "Never"} | where,
        },
    }
    name = f"migrate-{phase}-{digest([body, inputs.database.name, inputs.database.identity], 10)}"
    return owner.build_object("batch/v1", "Job", name, {"spec": body}, component="migrate")
