"""When a rollout counts as finished, read from a Deployment's status."""

from typing import Any

import pytest

from imghost_operator.built_object import BuiltObject, Requirement
from imghost_operator.platform import Object
from imghost_operator.progress import is_done, is_rolled_out
from support.statuses import server
from support.tenants import objects, only

DEPLOYMENT = only(objects(), "Deployment", "api")


def test_a_finished_rollout() -> None:
    """All pods are of the current template and available; with none asked for, none is left."""
    assert is_rolled_out(server(DEPLOYMENT))
    zero = only(objects(api={"replicas": 0}), "Deployment", "api")
    assert is_rolled_out({**server(zero), "status": {"observedGeneration": 1}})


@pytest.mark.parametrize(
    "numbers",
    [
        {"observedGeneration": 0},
        {"updatedReplicas": 1},
        {"replicas": 3},
        {"availableReplicas": 1},
        {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
        {"terminatingReplicas": 1},
    ],
)
def test_an_unfinished_rollout_is_recognized(numbers: dict[str, Any]) -> None:
    """A status of an older template, pods that are missing, not available, of the old template or still ending."""
    assert not is_rolled_out(server(DEPLOYMENT, **numbers))


def test_a_deployment_that_still_has_to_change_is_not_done() -> None:
    """However well the pods of the previous template run, the rollout of another one has not happened."""
    built = BuiltObject(DEPLOYMENT, provides=Requirement.ROLLOUT)
    assert is_done(built, server(DEPLOYMENT))
    assert not is_done(built, None)
    other: Object = only(objects(api={"image": "imghost-api:2"}), "Deployment", "api")
    assert not is_done(built, server(other))
