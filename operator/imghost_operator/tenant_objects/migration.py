"""The Job that brings the database to the schema the release needs; the roll-out waits for it."""

from imghost_operator.build_inputs import BuildInputs
from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import Owner, digest
from imghost_operator.tenant_objects.pods import container, pod

DEADLINE_SECONDS = 900
PREFIX = "migrate-"


def migration(owner: Owner, spec: Spec, inputs: BuildInputs) -> Object:
    """The Job, named by what it runs: a Job cannot be changed, so a new image is a new Job."""
    main = container(
        "migrate", ["python", "-m", "imghost_api", "migrate"], spec.api.image or inputs.release.api_image, inputs
    )
    main["resources"] = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
    body = {
        "backoffLimit": 3,
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "template": {
            "metadata": {"labels": owner.labels("migrate")},
            "spec": pod("migrate", main, "64Mi") | {"restartPolicy": "Never"},
        },
    }
    name = f"{PREFIX}{digest([body, inputs.database.name], 10)}"
    return owner.build_object("batch/v1", "Job", name, {"spec": body}, component="migrate")
