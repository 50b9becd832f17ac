"""What people read in a tenant's status: each condition with a reason, and what to do."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imghost_core.errors import ImghostError, Unavailable
from imghost_operator import crd, status
from imghost_operator.conditions import migration_state
from imghost_operator.crd import Spec, Status
from imghost_operator.findings import Observed
from imghost_operator.platform import Key, Object
from support.kubeapi import KubeApi
from support.tenants import ENFORCED, facts, objects, tenant

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=7)
NAMESPACE = "imghost-demo"
COMPLETE = [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]


class Down(Unavailable):
    """A backend that does not answer."""

    code = "backend_down"


def server(desired: Object, **numbers: Any) -> Object:
    """A Deployment as a cluster with running pods has it."""
    replicas = desired["spec"].get("replicas", 2)
    counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "updatedReplicas"), replicas)
    live = copy.deepcopy(desired)
    live["metadata"]["generation"] = 1
    return {**live, "status": counts | {"observedGeneration": 1} | numbers}


def observed(
    *, job: list[Object] | None = COMPLETE, api: dict[str, Any] | None = None, spec: dict[str, Any] | None = None
) -> Observed:
    """Everything there and well, but for what is said."""
    made = objects(**(spec or {}))
    live = dict(made)
    for key, obj in made.items():
        if key.kind == "Deployment":
            live[key] = server(obj, **((api or {}) if key.name == "api" else {}))
        if key.kind == "Job":
            live[key] = {**obj, "status": {"conditions": job or []}}
    return Observed(
        enforces=ENFORCED,
        spec=Spec.model_validate(tenant(**(spec or {}))["spec"]),
        facts=facts(),
        desired=list(made.values()),
        live=live,
    )


def conditions(report: Object) -> dict[str, Object]:
    return {it["type"]: it for it in report["conditions"]}


def summary(found: Observed, **spec: Any) -> dict[str, tuple[str, str]]:
    """Condition → status and reason."""
    report = status.report(tenant(**spec), found, NOW)
    return {kind: (it["status"], it["reason"]) for kind, it in conditions(report).items()}


def without(found: Observed, *kinds: str) -> Observed:
    return replace(found, live={key: obj for key, obj in found.live.items() if key.kind not in kinds})


def test_a_tenant_that_serves_says_so() -> None:
    """When all is there every condition is settled and the summary is true."""
    assert summary(observed()) == {
        "Ready": ("True", "Serving"),
        "NamespaceReady": ("True", "Applied"),
        "SecretsReady": ("True", "Applied"),
        "NetworkReady": ("True", "Applied"),
        "StorageReady": ("True", "Provisioned"),
        "DatabaseReady": ("True", "Provisioned"),
        "SchemaReady": ("True", "Migrated"),
        "WorkloadsAvailable": ("True", "PodsAvailable"),
        "Progressing": ("False", "Settled"),
        "Paused": ("False", "NotPaused"),
        "Deleting": ("False", "NotDeleting"),
        "Enforced": ("True", "Enforced"),
        "Autoscaled": ("False", "NotAskedFor"),
    }


def test_the_rest_of_the_status_says_where_everything_is() -> None:
    """Namespace, URL, version, places and pods stand beside the conditions; nothing in it is secret."""
    report = status.report(tenant(generation=4), observed(), NOW)
    report.pop("conditions")
    assert report == {
        "observedGeneration": 4,
        "namespace": NAMESPACE,
        "selector": "app.kubernetes.io/name=imghost,app.kubernetes.io/instance=demo,app.kubernetes.io/component=api",
        "url": "http://imaging.imghost-demo.svc:5003",
        "version": "1.2.3",
        "api": {"desired": 2, "current": 2, "ready": 2, "updated": 2},
        "imaging": {"desired": 2, "current": 2, "ready": 2, "updated": 2},
        "storage": {"backend": "default", "bucket": "pictures", "prefix": "demo/", "keyId": "demo-key"},
        "database": {"instance": "default", "name": "imghost_demo", "role": "imghost_demo_owner"},
        "objects": {"desired": len(objects()), "applied": len(objects())},
    }
    assert "canary" not in str(report)


def test_on_the_first_visit_everything_is_unknown() -> None:
    """A status appears at once, and claims nothing that nobody has looked at."""
    found = Observed(enforces=ENFORCED, spec=Spec.model_validate(tenant()["spec"]))
    said = summary(found)
    assert {kind for kind, (truth, _) in said.items() if truth == "Unknown"} == {
        "Ready",
        "NamespaceReady",
        "SecretsReady",
        "NetworkReady",
        "StorageReady",
        "DatabaseReady",
        "SchemaReady",
        "WorkloadsAvailable",
        "Enforced",
    }
    assert said["Progressing"] == ("True", "Waiting")


def test_nothing_new_changes_nothing() -> None:
    """The same findings later make an equal status, so a pass without changes writes none."""
    first = status.report(tenant(), observed(), NOW)
    assert status.report({**tenant(), "status": first}, observed(), LATER) == first


def test_transition_time_moves_with_the_status_only() -> None:
    """Another reason or generation leaves lastTransitionTime; another status moves it."""
    first = status.report(tenant(), observed(), NOW)
    fewer = observed(api={"readyReplicas": 1, "availableReplicas": 1})
    second = status.report({**tenant(generation=2), "status": first}, fewer, LATER)
    before, after = conditions(first), conditions(second)
    assert after["WorkloadsAvailable"]["message"] != before["WorkloadsAvailable"]["message"]
    assert after["WorkloadsAvailable"]["lastTransitionTime"] == "2026-05-04T12:00:00Z"
    assert after["WorkloadsAvailable"]["observedGeneration"] == 2
    assert after["Progressing"]["lastTransitionTime"] == "2026-05-04T12:07:00Z"


@pytest.mark.parametrize(
    ("key", "condition"),
    [
        ("storage", "StorageReady"),
        ("database", "DatabaseReady"),
        (Key("Namespace", "", NAMESPACE), "NamespaceReady"),
        (Key("LimitRange", NAMESPACE, "defaults"), "NamespaceReady"),
        (Key("Secret", NAMESPACE, "internal"), "SecretsReady"),
        (Key("NetworkPolicy", NAMESPACE, "dns"), "NetworkReady"),
        (Key("Job", NAMESPACE, "migrate-x"), "SchemaReady"),
        (Key("Deployment", NAMESPACE, "api"), "WorkloadsAvailable"),
    ],
)
def test_an_error_shows_where_it_belongs(key: Key | str, condition: str) -> None:
    """Each failure turns its own condition and the summary, and is the lastError, with what it says."""
    found = replace(observed(), problems={key: Down("the server does not answer; it is tried again")})
    report = status.report(tenant(), found, NOW)
    said = conditions(report)
    for kind in (condition, "Ready"):
        assert (said[kind]["status"], said[kind]["reason"]) == ("False", "BackendDown")
        assert said[kind]["message"] == "the server does not answer; it is tried again"
    wrong = {kind for kind in said if said[kind]["status"] == "False"}
    assert wrong - {"Autoscaled", "Paused", "Deleting"} == {condition, "Ready"}
    assert said["Progressing"]["reason"] == "Retrying"
    assert report["lastError"] == {
        "reason": "BackendDown",
        "message": "the server does not answer; it is tried again",
        "since": "2026-05-04T12:00:00Z",
    }


def test_an_autoscaler_that_nobody_works_for_is_told() -> None:
    """Where autoscalers are only recorded both conditions say so, and the tenant is as ready as with fixed numbers."""
    found = observed(spec={"api": {"autoscaling": {"maxReplicas": 9}}})
    said = conditions(status.report(tenant(), replace(found, enforces=ENFORCED - {"HorizontalPodAutoscaler"}), NOW))
    assert "HorizontalPodAutoscaler" in said["Enforced"]["message"]
    assert {said[kind]["reason"] for kind in ("Enforced", "Autoscaled")} == {"NotEnforcedHere"}
    assert said["Ready"]["status"] == "True"


def test_an_error_without_a_place_still_counts() -> None:
    """A failure that belongs to no condition makes the tenant not ready."""
    found = replace(observed(), problems={"prune": ImghostError("objects are left over", code="pruning_failed")})
    assert summary(found)["Ready"] == ("False", "PruningFailed")


def test_last_error_keeps_its_beginning_and_goes() -> None:
    """`since` is when the trouble began, not when it was last seen; after it lastError is gone."""
    found = replace(observed(), problems={"storage": Down("no answer")})
    first = status.report(tenant(), found, NOW)
    second = status.report({**tenant(), "status": first}, found, LATER)
    assert second == first
    assert "lastError" not in status.report({**tenant(), "status": second}, observed(), LATER)


def test_what_could_not_be_found_out_stays() -> None:
    """While a backend is away the status still says where everything is."""
    first = status.report(tenant(), observed(), NOW)
    blind = replace(observed(), facts=None, desired=(), problems={"database": Down("no answer")})
    second = status.report({**tenant(), "status": first}, blind, LATER)
    for key in ("url", "version", "storage", "database"):
        assert second[key] == first[key]


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ([], ("False", "Migrating")),
        ([{"type": "Failed", "status": "False"}], ("False", "Migrating")),
        ([{"type": "FailureTarget", "status": "True"}], ("False", "MigrationFailed")),
        ([{"type": "Failed", "status": "True"}], ("False", "MigrationFailed")),
        (COMPLETE, ("True", "Migrated")),
    ],
)
def test_the_migration_is_told(job: list[Object], expected: tuple[str, str]) -> None:
    """Whether the schema is there, on its way, or failed."""
    said = summary(observed(job=job))
    assert said["SchemaReady"] == expected
    assert said["Ready"] == (("True", "Serving") if expected[0] == "True" else expected)


def test_a_failed_migration_says_what_to_do() -> None:
    """The message names the Job whose logs tell more, and when it is tried again."""
    report = status.report(tenant(), observed(job=[{"type": "Failed", "status": "True"}]), NOW)
    message = conditions(report)["SchemaReady"]["message"]
    assert "see the logs of migrate-" in message
    assert "tried again" in message
    assert conditions(report)["Progressing"]["reason"] == "MigrationFailed"


def test_no_job_is_no_migration() -> None:
    """Before the Job is made the schema is not known."""
    assert migration_state(None) == "missing"
    assert summary(without(observed(), "Job"))["SchemaReady"] == ("Unknown", "Waiting")


def test_one_pod_of_each_is_enough_to_serve() -> None:
    """While pods are missing the tenant is ready and progressing. With none of a service it is not ready, nor with
    pods that became ready too recently to be reached.
    """
    some = summary(observed(api={"readyReplicas": 1, "availableReplicas": 1}))
    assert (some["Ready"][0], some["Progressing"]) == ("True", ("True", "RollingOut"))
    for counts in ({"readyReplicas": 0, "availableReplicas": 0}, {"readyReplicas": 2, "availableReplicas": 0}):
        none = summary(observed(api=counts))
        assert none["Ready"] == none["WorkloadsAvailable"] == ("False", "WaitingForPods")


def test_a_roll_out_is_progress() -> None:
    """Old pods that serve while new ones come, and a status older than the Deployment, are not settled."""
    assert summary(observed(api={"updatedReplicas": 1}))["Progressing"] == ("True", "RollingOut")
    assert summary(observed(api={"replicas": 3}))["Progressing"] == ("True", "RollingOut")
    assert summary(observed(api={"observedGeneration": 0}))["Progressing"] == ("True", "RollingOut")


QUOTA = 'pods "api-1" is forbidden: exceeded quota: compute, requested: requests.cpu=1, used: requests.cpu=1'


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"type": "ReplicaFailure", "status": "True", "message": QUOTA}, "QuotaExceeded"),
        ({"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}, "PodsRefused"),
        ({"type": "Progressing", "status": "False", "message": "has timed out progressing."}, "RolloutStuck"),
    ],
)
def test_why_pods_do_not_come(condition: Object, reason: str) -> None:
    """The cluster's reason for missing pods is passed on, whether or not others still serve."""
    for ready, truth in ((0, "False"), (1, "True")):
        found = observed(api={"availableReplicas": ready, "conditions": [condition]})
        report = status.report(tenant(), found, NOW)
        said = conditions(report)["WorkloadsAvailable"]
        assert (said["status"], said["reason"]) == (truth, reason)
        assert condition["message"] in said["message"]


def test_an_exceeded_quota_says_what_to_raise() -> None:
    """The message names the field of the spec that helps."""
    failure = {"type": "ReplicaFailure", "status": "True", "message": QUOTA}
    report = status.report(tenant(), observed(api={"availableReplicas": 0, "conditions": [failure]}), NOW)
    assert "raise spec.quota.compute" in conditions(report)["Ready"]["message"]


def test_scaled_to_zero_is_not_ready() -> None:
    """Without pods nothing is served, and the reason is the wish itself; nothing is in progress."""
    spec = {"imaging": {"replicas": 0}}
    said = summary(observed(spec=spec), **spec)
    assert said["Ready"] == ("False", "ScaledToZero")
    assert said["Progressing"] == ("False", "Settled")


def test_paused_leaves_the_rest_as_it_was() -> None:
    """While paused only Paused and Progressing are brought up to date, for nothing else was looked at."""
    first = status.report(tenant(), observed(), NOW)
    blind = Observed(enforces=ENFORCED)
    second = status.report({**tenant(generation=2, paused=True), "status": first}, blind, LATER)
    before, after = conditions(first), conditions(second)
    assert (after["Paused"]["status"], after["Paused"]["reason"]) == ("True", "PausedBySpec")
    assert second["observedGeneration"] == 2
    assert (after["Progressing"]["status"], after["Progressing"]["reason"]) == ("False", "Paused")
    assert {kind for kind in after if after[kind] != before[kind]} == {"Paused", "Progressing"}


def test_paused_from_the_start_knows_nothing() -> None:
    """A tenant that was made paused has conditions; nothing is true but that it is paused."""
    report = status.report(tenant(paused=True), Observed(enforces=ENFORCED), NOW)
    assert [kind for kind, it in conditions(report).items() if it["status"] == "True"] == ["Paused"]


def test_deleting_says_what_it_waits_for() -> None:
    """A tenant on its way out is not ready, and tells what holds it up; being paused does not hide that."""
    leaving = tenant(paused=True)
    assert status.is_paused(leaving)
    leaving["metadata"]["deletionTimestamp"] = "2026-05-04T11:00:00Z"
    found = replace(observed(), deletion=("WaitingForBackend", "the object store does not answer"))
    said = conditions(status.report(leaving, found, NOW))
    assert (said["Deleting"]["status"], said["Deleting"]["reason"]) == ("True", "WaitingForBackend")
    assert (said["Ready"]["status"], said["Ready"]["reason"]) == ("False", "Deleting")


def test_what_is_not_enforced_is_named_and_does_no_harm() -> None:
    """Where policies are only recorded a condition names them, and the tenant is ready all the same."""
    found = replace(observed(), enforces=frozenset({"LimitRange"}))
    report = status.report(tenant(), found, NOW)
    said = conditions(report)
    assert (said["Enforced"]["status"], said["Enforced"]["reason"]) == ("False", "NotEnforcedHere")
    assert said["Enforced"]["message"].endswith("NetworkPolicy, Pod Security, PodDisruptionBudget, ResourceQuota")
    assert said["Ready"]["status"] == "True"


def test_objects_that_drifted_are_counted_as_not_applied() -> None:
    """`objects.applied` counts what is there as desired."""
    found = observed()
    key = Key("ConfigMap", NAMESPACE, "api")
    drifted = {**found.live[key], "data": {}}
    report = status.report(tenant(), replace(found, live={**found.live, key: drifted}), NOW)
    assert report["objects"]["applied"] == report["objects"]["desired"] - 1


def test_a_missing_object_shows() -> None:
    """An area with a part missing is not ready, and says how much is missing."""
    found = observed()
    live = {key: obj for key, obj in found.live.items() if key != Key("Service", NAMESPACE, "api")}
    assert summary(replace(found, live=live))["NetworkReady"] == ("False", "Applying")


PROBLEMS = st.dictionaries(
    st.sampled_from(["storage", "database", "other", Key("Deployment", NAMESPACE, "api"), Key("Job", NAMESPACE, "m")]),
    st.text(max_size=2000).map(Down),
    max_size=2,
)


@given(
    PROBLEMS,
    st.lists(st.sampled_from(["Deployment", "Job", "Namespace", "Secret"]), max_size=2),
    st.dictionaries(
        st.sampled_from(["replicas", "readyReplicas", "availableReplicas", "updatedReplicas"]), st.integers(0, 9)
    ),
    st.booleans(),
)
def test_every_status_fits_the_resource(
    problems: dict[Key | str, ImghostError], gone: list[str], numbers: dict[str, int], paused: bool
) -> None:
    """Whatever was found, the status is one that the schema accepts, and reporting it again changes nothing."""
    found = replace(without(observed(api=numbers), *gone), problems=problems)
    subject = tenant(paused=paused)
    report = status.report(subject, found, NOW)
    Status.model_validate(report)
    assert len(report["conditions"]) == len(conditions(report)) <= 16
    assert status.report({**subject, "status": report}, found, LATER) == report


def test_the_server_keeps_a_status_as_it_is(cluster: KubeApi) -> None:
    """A real API server accepts our status and gives it back unchanged, so comparing it finds no false difference."""
    created = cluster.create(
        {"apiVersion": crd.API_VERSION, "kind": crd.KIND, "metadata": {"name": "statuses"}, "spec": {}}
    ).body
    found = replace(observed(), problems={"storage": Down("x" * 2000)})
    report = status.report(created, found, NOW)
    path = f"/apis/{crd.API_VERSION}/{crd.PLURAL}/statuses/status?fieldValidation=Strict"
    answer = cluster.request("PUT", path, {**created, "status": report})
    assert answer.status == 200, answer.body
    assert answer.body["status"] == report
