"""How a pass evaluates what it saw: each condition with a reason, and what to do."""

from dataclasses import replace

import pytest

from imghost_operator import status
from imghost_operator.built_object import Requirement
from imghost_operator.errors import PlatformRefused
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.progress import job_state
from imghost_operator.reasons import Reason
from imghost_operator.reconcile_state import ReconcileState
from support.statuses import COMPLETE, LATER, NAMESPACE, NOW, Down, conditions, observed, summary, without
from support.tenants import ENFORCED, tenant


@pytest.mark.parametrize(
    ("key", "condition"),
    [
        ("credentials", "CredentialsStored"),
        ("storage", "StorageReady"),
        ("database", "DatabaseReady"),
        (ObjectRef("Namespace", "", NAMESPACE), "NamespaceReady"),
        (ObjectRef("LimitRange", NAMESPACE, "defaults"), "NamespaceReady"),
        (ObjectRef("Secret", NAMESPACE, "internal"), "SecretsReady"),
        (ObjectRef("NetworkPolicy", NAMESPACE, "dns"), "NetworkReady"),
        (ObjectRef("Job", NAMESPACE, "migrate-x"), "SchemaReady"),
        (ObjectRef("Deployment", NAMESPACE, "api"), "WorkloadsAvailable"),
        (ObjectRef("HorizontalPodAutoscaler", NAMESPACE, "imaging"), "WorkloadsAvailable"),
        (ObjectRef("Deployment", NAMESPACE, "worker"), "WorkerAvailable"),
    ],
)
def test_an_error_sets_its_own_condition_and_the_summary(key: ObjectRef | str, condition: str) -> None:
    """Each failure turns its own condition and the summary, and is the lastError, with what it says."""
    found = replace(observed(), problems={key: Down("the server does not respond; it is tried again")})
    report = status.report(tenant(), found, NOW)
    reported = conditions(report)
    for kind in (condition, "Ready"):
        assert (reported[kind]["status"], reported[kind]["reason"]) == ("False", "BackendDown")
        assert reported[kind]["message"] == "the server does not respond; it is tried again"
    wrong = {kind for kind in reported if reported[kind]["status"] == "False"}
    assert wrong - {"Autoscaled", "Paused", "Deleting"} == {condition, "Ready"}
    assert reported["Progressing"]["reason"] == "Retrying"
    assert report["lastError"] == {
        "reason": "BackendDown",
        "message": "the server does not respond; it is tried again",
        "since": "2026-05-04T12:00:00Z",
    }


def test_an_autoscaler_without_a_controller_is_reported() -> None:
    """Where autoscalers are only recorded both conditions say so, and the tenant is as ready as with fixed numbers."""
    found = observed(spec={"api": {"autoscaling": {"maxReplicas": 9}}})
    reported = conditions(status.report(tenant(), replace(found, enforces=ENFORCED - {"HorizontalPodAutoscaler"}), NOW))
    assert "HorizontalPodAutoscaler" in reported["Enforced"]["message"]
    assert {reported[kind]["reason"] for kind in ("Enforced", "Autoscaled")} == {"NotEnforcedHere"}
    assert reported["Ready"]["status"] == "True"


def test_an_error_without_a_condition_makes_the_tenant_not_ready() -> None:
    """A failure that belongs to no condition makes the tenant not ready."""
    found = replace(observed(), problems={"spec": PlatformRefused("a right is missing")})
    assert summary(found)["Ready"] == ("False", "PlatformRefused")


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
def test_the_migration_is_reported(job: list[Object], expected: tuple[str, str]) -> None:
    """Whether the schema is there, on its way, or failed."""
    reported = summary(observed(job=job))
    assert reported["SchemaReady"] == expected
    assert reported["Ready"] == (("True", "Serving") if expected[0] == "True" else expected)


def test_a_failed_migration_says_what_to_do() -> None:
    """The message names the Job whose logs say more, and when it is tried again."""
    report = status.report(tenant(), observed(job=[{"type": "Failed", "status": "True"}]), NOW)
    message = conditions(report)["SchemaReady"]["message"]
    assert "see the logs of the Job migrate-pre-" in message
    assert "tried again" in message
    assert conditions(report)["Progressing"]["reason"] == "MigrationFailed"


def test_without_a_job_the_schema_is_unknown() -> None:
    """Before the Job is made the schema is not known."""
    assert job_state(None) == "missing"
    assert summary(without(observed(), "Job"))["SchemaReady"] == ("Unknown", "Waiting")


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ([], ("False", "Migrating")),
        ([{"type": "Failed", "status": "True"}], ("False", "PostMigrationFailed")),
        (COMPLETE, ("True", "Migrated")),
    ],
)
def test_the_post_migration_has_a_condition_of_its_own(post: list[Object], expected: tuple[str, str]) -> None:
    """Whatever becomes of the post migration, the tenant serves; Progressing says that it is not complete."""
    found = summary(observed(post=post))
    assert found["SchemaContracted"] == expected
    assert found["Ready"] == ("True", "Serving")
    progressing = {"Migrating": ("True", "Migrating"), "PostMigrationFailed": ("False", "PostMigrationFailed")}
    assert found["Progressing"] == progressing.get(expected[1], ("False", "Settled"))


def test_the_post_migration_waits_for_the_rollout() -> None:
    """Before its Job exists the condition says what it waits for; while pods are replaced that is what progresses."""
    found = observed(api={"updatedReplicas": 1})
    post = next(built.ref for built in found.desired if built.provides is Requirement.CONTRACTED_SCHEMA)
    before = replace(found, live={ref: obj for ref, obj in found.live.items() if ref != post})
    assert summary(before)["SchemaContracted"] == ("False", "WaitingForRollout")
    assert summary(before)["Progressing"] == ("True", "RollingOut")
    assert summary(before)["Ready"] == ("True", "Serving")


def test_the_worker_has_a_condition_of_its_own() -> None:
    """Without a pod of the worker jobs and events wait, which its condition says; images are served all the same."""
    found = summary(observed(worker={"readyReplicas": 0, "availableReplicas": 0}))
    assert found["WorkerAvailable"] == ("False", "WaitingForPods")
    assert found["Progressing"] == ("True", "WaitingForPods")
    assert found["WorkloadsAvailable"] == ("True", "PodsAvailable")
    assert found["Ready"] == ("True", "Serving")


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
        reported = conditions(report)["WorkloadsAvailable"]
        assert (reported["status"], reported["reason"]) == (truth, reason)
        assert condition["message"] in reported["message"]


def test_an_exceeded_quota_says_what_to_raise() -> None:
    """The message names the field of the spec that helps."""
    failure = {"type": "ReplicaFailure", "status": "True", "message": QUOTA}
    report = status.report(tenant(), observed(api={"availableReplicas": 0, "conditions": [failure]}), NOW)
    assert "raise spec.quota.compute" in conditions(report)["Ready"]["message"]


def test_scaled_to_zero_is_not_ready() -> None:
    """Without pods nothing is served, and the reason is the wish itself; nothing is in progress."""
    spec = {"imaging": {"replicas": 0}}
    reported = summary(observed(spec=spec), **spec)
    assert reported["Ready"] == ("False", "ScaledToZero")
    assert reported["Progressing"] == ("False", "Settled")


def test_while_paused_other_conditions_do_not_change() -> None:
    """While paused only Paused and Progressing are brought up to date, for nothing else was looked at."""
    first = status.report(tenant(), observed(), NOW)
    blind = ReconcileState(enforces=ENFORCED)
    second = status.report({**tenant(generation=2, paused=True), "status": first}, blind, LATER)
    before, after = conditions(first), conditions(second)
    assert (after["Paused"]["status"], after["Paused"]["reason"]) == ("True", "PausedBySpec")
    assert second["observedGeneration"] == 2
    assert (after["Progressing"]["status"], after["Progressing"]["reason"]) == ("False", "Paused")
    assert {kind for kind in after if after[kind] != before[kind]} == {"Paused", "Progressing"}


def test_paused_from_the_start_knows_nothing() -> None:
    """A tenant that was made paused has conditions; nothing about its parts is true."""
    report = status.report(tenant(paused=True), ReconcileState(enforces=ENFORCED), NOW)
    assert [kind for kind, condition in conditions(report).items() if condition["status"] == "True"] == [
        "Paused",
        "SoleInstallation",
    ]


def test_deleting_says_what_it_waits_for() -> None:
    """A tenant on its way out is not ready, and says what holds it up; being paused does not hide that."""
    leaving = tenant(paused=True)
    assert status.is_paused(leaving)
    leaving["metadata"]["deletionTimestamp"] = "2026-05-04T11:00:00Z"
    found = replace(observed(), deletion=(Reason.WAITING_FOR_BACKEND, "the object store does not respond"))
    reported = conditions(status.report(leaving, found, NOW))
    assert (reported["Deleting"]["status"], reported["Deleting"]["reason"]) == ("True", "WaitingForBackend")
    assert (reported["Ready"]["status"], reported["Ready"]["reason"]) == ("False", "Deleting")


def test_kinds_that_are_not_enforced_are_named_and_the_tenant_is_ready() -> None:
    """Where policies are only recorded a condition names them, and the tenant is ready all the same."""
    found = replace(observed(), enforces=frozenset({"LimitRange"}))
    report = status.report(tenant(), found, NOW)
    reported = conditions(report)
    assert (reported["Enforced"]["status"], reported["Enforced"]["reason"]) == ("False", "NotEnforcedHere")
    assert reported["Enforced"]["message"].endswith("NetworkPolicy, Pod Security, PodDisruptionBudget, ResourceQuota")
    assert reported["Ready"]["status"] == "True"
