"""What is said about pods that a quota keeps from starting."""

from typing import Any

import pytest

from imghost_operator import quota_room
from imghost_operator.platform import Object, ObjectRef

QUOTA, LIMITS = ObjectRef("ResourceQuota", "n", "compute"), ObjectRef("LimitRange", "n", "defaults")
RAISE = "raise spec.quota.compute, or ask for fewer or smaller pods"


def live(hard: dict[str, str], used: dict[str, str], **defaults: Any) -> dict[ObjectRef, Object]:
    limits = [{"type": "Pod", "max": {"cpu": "1"}}, {"type": "Container", **defaults}]
    return {QUOTA: {"status": {"hard": hard, "used": used}}, LIMITS: {"spec": {"limits": limits}}}


def template(**resources: Any) -> Object:
    return {"spec": {"containers": [{"name": "a", "resources": resources}]}}


@pytest.mark.parametrize(
    ("hard", "used", "resources", "expected"),
    [
        ({"pods": "2"}, {"pods": "2"}, {}, "pods: 1 needed, 0 of 2 left"),
        ({"pods": "2"}, {"pods": "1"}, {}, None),
        ({"pods": "2"}, {"pods": "5"}, {}, "pods: 1 needed, 0 of 2 left"),
        (
            {"requests.cpu": "1"},
            {"requests.cpu": "950m"},
            {"requests": {"cpu": "100m"}},
            "requests.cpu: 100m needed, 50m of 1 left",
        ),
        ({"requests.cpu": "1"}, {"requests.cpu": "900m"}, {"requests": {"cpu": "100m"}}, None),
        (
            {"limits.memory": "1Gi"},
            {"limits.memory": "768Mi"},
            {"limits": {"memory": "512Mi"}},
            "limits.memory: 512Mi needed, 256Mi of 1Gi left",
        ),
        (
            {"requests.memory": "1Gi"},
            {"requests.memory": "768Mi"},
            {"limits": {"memory": "512Mi"}},
            "requests.memory: 512Mi needed, 256Mi of 1Gi left",
        ),
        ({"limits.memory": "100Mi"}, {}, {}, "limits.memory: 256Mi needed, 100Mi of 100Mi left"),
        (
            {"requests.cpu": "10m", "pods": "0"},
            {},
            {},
            "pods: 1 needed, 0 of 0 left; requests.cpu: 50m needed, 10m of 10m left",
        ),
        ({"memory": "64Mi"}, {}, {"requests": {"memory": "128Mi"}}, "memory: 128Mi needed, 64Mi of 64Mi left"),
        ({}, {}, {"limits": {"memory": "1Ti"}}, None),
    ],
)
def test_a_pod_that_does_not_fit_is_found(
    hard: dict[str, str], used: dict[str, str], resources: dict[str, Any], expected: str | None
) -> None:
    """Each resource of which too little is left is named; what is left out comes from limits and defaults."""
    found = live(hard, used, default={"memory": "256Mi"}, defaultRequest={"cpu": "50m"})
    found_out = quota_room.shortage(template(**resources), found)
    assert found_out == (expected and f"ResourceQuota compute: {expected}; {RAISE}")


@pytest.mark.parametrize("spec", [{"scopes": ["BestEffort"]}, {"scopeSelector": {"matchExpressions": [{}]}}])
def test_a_quota_for_some_pods_only_is_left_to_the_cluster(spec: Object) -> None:
    """It may not count the pod at all; a pod that it refuses is explained by the refusal."""
    ref = ObjectRef("ResourceQuota", "n", "team")
    found: dict[ObjectRef, Object] = {ref: {"spec": spec, "status": {"hard": {"pods": "0"}}}}
    assert quota_room.shortage(template(), found) is None


def test_a_quota_of_others_is_not_to_be_raised_in_the_spec() -> None:
    """Where the cluster names another quota, its owner has to be asked; what is no quota is not explained."""
    text = 'pods "api-1" is forbidden: exceeded quota: team, requested: pods=1, used: pods=9, limited: pods=9'
    assert quota_room.explain(text) == (
        "ResourceQuota team: pods: 1 needed, 0 of 9 left; "
        "ask the owner of this quota for more, or ask for fewer or smaller pods"
    )
    assert quota_room.explain('admission webhook "x" denied the request: no') is None


def test_a_quantity_in_another_notation_is_no_failure() -> None:
    """The quota of others may have exponents, which we do not write: the cluster's own text is shown then."""
    text = "exceeded quota: team, requested: limits.memory=1Gi, used: limits.memory=1Gi, limited: limits.memory=2e9"
    assert str(quota_room.explain(text)).startswith(text)
    ref = ObjectRef("ResourceQuota", "imghost-demo", "team")
    live: dict[ObjectRef, Object] = {ref: {"status": {"hard": {"pods": "1e1"}, "used": {"pods": "0"}}}}
    assert quota_room.shortage({"spec": {"containers": []}}, live) is None
