"""The second copy of a tenant's credentials: nothing that happens to its Secrets replaces a value by accident."""

import base64
from collections.abc import Mapping

import pytest

from imghost_operator.errors import PlatformDown
from imghost_operator.platform import Object, ObjectRef
from support.eventually import eventually
from support.kube import Kube
from support.operators import condition
from support.reconcile_harness import OPERATOR_NAMESPACE, ReconcileHarness

SECRETS = (
    "api-signing",
    "database-api",
    "database-imaging",
    "database-owner",
    "internal",
    "storage",
    "storage-imaging",
)


async def settled(bench: ReconcileHarness) -> dict[str, dict[str, str]]:
    """The values of all Secrets of a tenant that is ready and has no work left."""
    await bench.ready()
    await bench.calm()
    await bench.one_pass()
    return secrets(bench)


def secrets(bench: ReconcileHarness) -> dict[str, dict[str, str]]:
    return {name: bench.secret(name) for name in SECRETS}


def recovery(bench: ReconcileHarness) -> ObjectRef:
    return ObjectRef("Secret", OPERATOR_NAMESPACE, f"imghost-recovery-{bench.name}")


def exist(bench: ReconcileHarness) -> bool:
    return all(bench.exists(ObjectRef("Secret", bench.namespace, name)) for name in SECRETS)


@pytest.mark.parametrize("name", SECRETS)
async def test_a_deleted_secret_gets_the_same_values_again(bench: ReconcileHarness, name: str) -> None:
    """A deleted Secret comes back as it was; an event and a condition name it, and where the copy is."""
    bench.create()
    async with bench.running():
        before = await settled(bench)
        bench.delete(ObjectRef("Secret", bench.namespace, name))
        await bench.until(lambda: exist(bench), why="the Secret is restored")
        await bench.calm()
        await bench.one_pass()
        found = condition(bench.tenant(), "CredentialsStored")
    assert secrets(bench) == before
    assert "CredentialsRestored" in bench.events()
    assert (found["status"], found["reason"]) == ("True", "CredentialsRestored")
    assert f"last restored from it: {name} at 20" in found["message"]
    assert condition(bench.tenant(), "Ready")["status"] == "True"


async def test_a_changed_or_hidden_secret_is_put_back(bench: ReconcileHarness) -> None:
    """A value that was removed, one that was changed, and a Secret that lost our label get the values of the copy."""
    bench.create()
    async with bench.running():
        before = await settled(bench)
        pepper = base64.b64encode(b"another-pepper-that-is-long-enough-to-be-taken").decode()
        signing = ObjectRef("Secret", bench.namespace, "api-signing")
        bench.patch(signing, {"data": {"JWT_PRIVATE_KEY": None, "API_KEY_PEPPER": pepper}})
        labels = {"app.kubernetes.io/managed-by": "another", "imghost.dev/tenant": None}
        bench.patch(ObjectRef("Secret", bench.namespace, "internal"), {"metadata": {"labels": labels}})
        await bench.until(lambda: secrets(bench) == before, why="the values are restored")
        internal = bench.get(ObjectRef("Secret", bench.namespace, "internal"))
        assert internal["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "imghost-operator"


async def test_a_deleted_namespace_gets_the_same_values_again(bench: ReconcileHarness, kube: Kube) -> None:
    """Everything of the tenant is made again when its namespace was deleted, with the old credentials."""
    bench.create()
    async with bench.running():
        before = await settled(bench)
        kube.kubectl("delete", "namespace", bench.namespace, "--timeout=60s")
        await bench.until(lambda: exist(bench), why="the Secrets are restored")
        assert secrets(bench) == before


async def test_a_tenant_that_is_created_again_keeps_its_credentials(bench: ReconcileHarness) -> None:
    """With `Retain` the copy outlives the tenant: API keys made before are valid afterwards."""
    bench.create()
    async with bench.running():
        before = await settled(bench)
        await end(bench)
        assert bench.exists(recovery(bench))
        bench.create()
        assert (await settled(bench)) == before
        assert "CredentialsRestored" in bench.events()


async def test_the_copy_is_deleted_with_the_data(bench: ReconcileHarness) -> None:
    """With `Delete` nothing is kept."""
    bench.create(deletionPolicy="Delete")
    async with bench.running():
        await settled(bench)
        assert bench.exists(recovery(bench))
        await end(bench)
        assert not bench.exists(recovery(bench))


async def end(bench: ReconcileHarness) -> None:
    """Delete the tenant, and wait until its namespace is deleted."""
    bench.end()

    async def ended() -> bool:
        tenant = bench.tenant()
        if tenant.get("kind") == "ImageHostTenant":
            await bench.reconciler.reconcile(tenant)
            return False
        return not bench.exists(ObjectRef("Namespace", "", bench.namespace))

    await eventually(ended, within=60, why="the tenant is deleted")


async def test_a_deleted_copy_is_made_from_the_secrets(bench: ReconcileHarness) -> None:
    """A copy that is missing, as after an upgrade, gets the values that the tenant uses."""
    bench.create()
    async with bench.running():
        before = await settled(bench)
        values = bench.get(recovery(bench))["data"]
        bench.delete(recovery(bench))
        await bench.until(lambda: bench.exists(recovery(bench)), why="the copy is made again")
        assert bench.get(recovery(bench))["data"] == values
        assert secrets(bench) == before


async def test_a_cache_that_knows_nothing_makes_no_new_value(
    bench: ReconcileHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the cache lacks is read from the API server; values that exist are used, though the pass sees no object."""
    bench.create()
    async with bench.running():
        before = await settled(bench)

        def nothing(_tenant: str) -> dict[ObjectRef, Object]:
            return {}

        with monkeypatch.context() as patched:
            patched.setattr(bench.cache, "children", nothing)
            await bench.one_pass()
        assert secrets(bench) == before


async def test_without_an_answer_no_value_is_made(bench: ReconcileHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the API server does not say whether the copy exists, the pass ends before anything is generated."""
    bench.create()
    async with bench.running():
        before = await settled(bench)

        async def down(*_: object) -> Mapping[str, object]:
            raise PlatformDown("The API server does not respond.")

        for name in SECRETS:
            bench.delete(ObjectRef("Secret", bench.namespace, name))
        bench.delete(recovery(bench))
        await eventually(lambda: recovery(bench) not in bench.cache.children(bench.name))
        with monkeypatch.context() as patched:
            patched.setattr(bench.cluster, "get", down)
            with pytest.raises(PlatformDown):
                await bench.one_pass()
        assert not exist(bench)
        assert before


ALL_BUT_SECRETS_OF_THE_OPERATOR = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: no-recovery}
rules:
  - apiGroups: [apps, autoscaling, batch, policy, networking.k8s.io, events.k8s.io, imghost.dev]
    resources: ["*"]
    verbs: ["*"]
  - apiGroups: [""]
    resources: [namespaces, configmaps, limitranges, resourcequotas, serviceaccounts, services]
    verbs: ["*"]
  - {apiGroups: [""], resources: [secrets], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: no-recovery}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: no-recovery}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: no-recovery}]
"""


async def test_a_missing_right_to_the_copy_is_a_condition(bench: ReconcileHarness, kube: Kube) -> None:
    """An operator that may not read the copy makes nothing, and says which right it lacks."""
    kube.kubectl("apply", "-f", "-", input=ALL_BUT_SECRETS_OF_THE_OPERATOR)
    bench.create()
    async with bench.running(kube.login("no-recovery")):
        await bench.until(
            lambda: condition(bench.tenant(), "CredentialsStored").get("reason") == "PlatformRefused",
            why="it is reported",
        )
    message = condition(bench.tenant(), "CredentialsStored")["message"]
    assert f"Secret {OPERATOR_NAMESPACE}/imghost-recovery-{bench.name}, cannot be used" in message
    assert condition(bench.tenant(), "Ready")["status"] == "False"
    assert not bench.exists(ObjectRef("Namespace", "", bench.namespace))
