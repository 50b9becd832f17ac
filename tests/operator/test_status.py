"""What people read in a tenant's status besides the conditions, and what moves their times."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from imghost_core.errors import ImghostError
from imghost_operator import crd, status
from imghost_operator.crd import Spec, Status
from imghost_operator.platform import ObjectRef
from imghost_operator.reconcile_state import ReconcileState
from support.kubeapi import KubeApi
from support.statuses import LATER, NAMESPACE, NOW, Down, conditions, observed, summary, without
from support.tenants import ENFORCED, objects, tenant


def test_a_tenant_that_serves_says_so() -> None:
    """When all is there every condition is settled and the summary is true."""
    assert summary(observed()) == {
        "Ready": ("True", "Serving"),
        "NamespaceReady": ("True", "Applied"),
        "SecretsReady": ("True", "Applied"),
        "NetworkReady": ("True", "Applied"),
        "StorageReady": ("True", "Provisioned"),
        "DatabaseReady": ("True", "Provisioned"),
        "CredentialsStored": ("True", "Stored"),
        "SchemaReady": ("True", "Migrated"),
        "SchemaContracted": ("True", "Migrated"),
        "WorkloadsAvailable": ("True", "PodsAvailable"),
        "WorkerAvailable": ("True", "PodsAvailable"),
        "Progressing": ("False", "Settled"),
        "Paused": ("False", "NotPaused"),
        "Deleting": ("False", "NotDeleting"),
        "Enforced": ("True", "Enforced"),
        "Autoscaled": ("False", "NotRequested"),
        "SoleInstallation": ("True", "SoleInstallation"),
    }


def migration(phase: str) -> str:
    """The name of the Job of a phase."""
    (name,) = [key.name for key in objects() if key.kind == "Job" and key.name.startswith(f"migrate-{phase}-")]
    return name


def test_the_status_has_namespace_addresses_and_pods() -> None:
    """Namespace, URL, version, places and pods stand next to the conditions; nothing in it is secret."""
    report = status.report(tenant(generation=4), observed(), NOW)
    report.pop("conditions")
    assert report == {
        "observedGeneration": 4,
        "namespace": NAMESPACE,
        "selector": "app.kubernetes.io/name=imghost,app.kubernetes.io/instance=demo,app.kubernetes.io/component=api",
        "url": "http://imaging.imghost-demo.svc:5003",
        "version": "1.2.3",
        "api": {"desired": 2, "current": 2, "ready": 2, "updated": 2},
        "worker": {"desired": 1, "current": 1, "ready": 1, "updated": 1},
        "imaging": {"desired": 2, "current": 2, "ready": 2, "updated": 2},
        "storage": {"backend": "default", "bucket": "images", "prefix": "demo/", "keyId": "demo-key"},
        "database": {"instance": "default", "name": "imghost_demo", "role": "imghost_demo_owner"},
        "migrations": {phase: migration(phase) for phase in ("pre", "post")},
        "objects": {"desired": len(objects()), "applied": len(objects())},
    }
    assert "canary" not in str(report)


def test_on_the_first_visit_everything_is_unknown() -> None:
    """A status appears immediately, and claims nothing that was not looked at."""
    found = ReconcileState(enforces=ENFORCED, spec=Spec.model_validate(tenant()["spec"]))
    reported = summary(found)
    assert {kind for kind, (truth, _) in reported.items() if truth == "Unknown"} == {
        "Ready",
        "NamespaceReady",
        "SecretsReady",
        "CredentialsStored",
        "NetworkReady",
        "StorageReady",
        "DatabaseReady",
        "SchemaReady",
        "SchemaContracted",
        "WorkloadsAvailable",
        "WorkerAvailable",
        "Enforced",
    }
    assert reported["Progressing"] == ("True", "Waiting")


def test_the_same_findings_make_an_equal_status() -> None:
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


def test_last_error_has_its_beginning_and_is_removed() -> None:
    """`since` is when the trouble began, not when it was last seen; after it lastError is removed."""
    found = replace(observed(), problems={"storage": Down("no answer")})
    first = status.report(tenant(), found, NOW)
    second = status.report({**tenant(), "status": first}, found, LATER)
    assert second == first
    assert "lastError" not in status.report({**tenant(), "status": second}, observed(), LATER)


def test_what_could_not_be_found_out_stays() -> None:
    """While a backend is away the status still says where everything is."""
    first = status.report(tenant(), observed(), NOW)
    blind = replace(observed(), inputs=None, desired=(), problems={"database": Down("no answer")})
    second = status.report({**tenant(), "status": first}, blind, LATER)
    for key in ("url", "version", "storage", "database"):
        assert second[key] == first[key]


def test_objects_that_drifted_are_counted_as_not_applied() -> None:
    """`objects.applied` counts what is there as desired."""
    found = observed()
    key = ObjectRef("ConfigMap", NAMESPACE, "api")
    drifted = {**found.live[key], "data": {}}
    report = status.report(tenant(), replace(found, live={**found.live, key: drifted}), NOW)
    assert report["objects"]["applied"] == report["objects"]["desired"] - 1


def test_a_missing_object_makes_its_condition_false() -> None:
    """An area with a part missing is not ready, and says how much is missing."""
    found = observed()
    live = {key: obj for key, obj in found.live.items() if key != ObjectRef("Service", NAMESPACE, "api")}
    assert summary(replace(found, live=live))["NetworkReady"] == ("False", "Applying")


PROBLEMS = st.dictionaries(
    st.sampled_from(
        ["storage", "database", "other", ObjectRef("Deployment", NAMESPACE, "api"), ObjectRef("Job", NAMESPACE, "m")]
    ),
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
    problems: dict[ObjectRef | str, ImghostError], missing: list[str], numbers: dict[str, int], paused: bool
) -> None:
    """Whatever was found, the status is one that the schema accepts, and reporting it again changes nothing."""
    found = replace(without(observed(api=numbers), *missing), problems=problems)
    subject = tenant(paused=paused)
    report = status.report(subject, found, NOW)
    Status.model_validate(report)
    assert len(report["conditions"]) == len(conditions(report)) <= 24
    assert status.report({**subject, "status": report}, found, LATER) == report


def test_the_server_keeps_a_status_as_it_is(cluster: KubeApi) -> None:
    """A real API server accepts our status and gives it back unchanged, so comparing it finds no false difference."""
    created = cluster.create(
        {"apiVersion": crd.API_VERSION, "kind": crd.KIND, "metadata": {"name": "statuses"}, "spec": {}}
    ).body
    found = replace(observed(), problems={"storage": Down("x" * 2000)})
    report = status.report(created, found, NOW)
    path = f"/apis/{crd.API_VERSION}/{crd.PLURAL}/statuses/status?fieldValidation=Strict"
    response = cluster.request("PUT", path, {**created, "status": report})
    assert response.status == 200, response.body
    assert response.body["status"] == report
