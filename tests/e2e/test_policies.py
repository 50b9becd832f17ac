"""What the cluster itself refuses in a tenant's namespace, and what the tenant says about it."""

import pytest

from imghost_dev.cluster.kubectl import Kubectl, Object
from imghost_dev.cluster.provider import ClusterError
from support.e2e.objects import Objects, Refused
from support.e2e.tenants import Tenants
from support.eventually import eventually


async def test_pod_security_refuses_a_privileged_pod(tenants: Tenants, objects: Objects) -> None:
    """A privileged pod cannot be run, one of the host's network or root in a tenant's namespace."""
    tenant = await tenants.ready()
    image = tenant.pods("api")[0]["spec"]["containers"][0]["image"]
    attacks: dict[str, Object] = {
        "privileged": {"containers": [{**_container(image), "securityContext": {"privileged": True}}]},
        "hostNetwork": {"hostNetwork": True, "containers": [_container(image)]},
        "hostPath": {
            "containers": [_container(image)],
            "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
        },
        "runAsNonRoot": {"containers": [_container(image)]},
    }
    for why, spec in attacks.items():
        with pytest.raises(Refused, match="violates PodSecurity") as refusal:
            objects.create(_pod(tenant.namespace, spec))
        assert why.lower() in str(refusal.value).lower().replace(" ", "")


async def test_the_quota_refuses_the_pod_too_many(tenants: Tenants) -> None:
    """The pod beyond the quota is refused; the tenant says why and what to do, and serves on."""
    tenant = await tenants.ready(quota={"compute": {"pods": 4}})  # api, worker, imaging, and one more
    await tenant.until("SchemaContracted")  # the pod of the migration no longer counts
    tenant.edit(imaging={"replicas": 3})

    def message_of_ready() -> str:
        condition = tenant.condition("WorkloadsAvailable")
        assert condition.get("reason") == "QuotaExceeded", condition
        return str(condition["message"])

    message = await eventually(message_of_ready, within=60, why="the tenant says that its quota is used up")
    assert "ResourceQuota compute: pods: 1 needed, 0 of 4 left" in message
    assert "raise spec.quota.compute" in message
    assert tenant.condition("Ready")["status"] == "True"
    assert len(tenant.pods("imaging")) == 2
    await tenant.client.register()
    tenant.edit(quota={"compute": {"pods": 8}})
    await tenant.wait_until_settled()
    assert len(tenant.pods("imaging")) == 3


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"imaging": {"replicas": -1}}, "spec.imaging.replicas in body should be greater than or equal to 0"),
        ({"api": {"replicas": 1, "colour": "red"}}, 'unknown field "colour"'),
        ({"imaging": {"limits": {"formats": ["jpeg", "svg"]}}}, 'Unsupported value: "svg"'),
        (
            {"api": {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}},
            "requests.memory must not be above limits.memory; lower the request or raise the limit",
        ),
        (
            {"api": {"env": [{"name": "DATABASE_URL", "value": "postgresql://elsewhere"}]}},
            "is set by the operator; use the field of the spec that stands for it",
        ),
    ],
)
def test_an_invalid_manifest_is_refused(kubectl: Kubectl, spec: Object, message: str) -> None:
    """`kubectl apply` of a manifest that breaks a rule fails immediately, and says what is wrong with which field."""
    manifest = {
        "apiVersion": "imghost.dev/v1",
        "kind": "ImageHostTenant",
        "metadata": {"name": "e2e-bad"},
        "spec": spec,
    }
    with pytest.raises(ClusterError) as refusal:
        kubectl.apply([manifest])
    assert message in str(refusal.value)
    assert not kubectl.succeeds("get", "imagehosttenant", "e2e-bad")


def _container(image: str) -> Object:
    return {"name": "main", "image": image, "command": ["true"]}


def _pod(namespace: str, spec: Object) -> Object:
    metadata = {"name": "attack", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
