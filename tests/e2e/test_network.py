"""Which pods may reach which: the tenants' network policies as the cluster has them."""

from dataclasses import dataclass

import pytest

from imghost_dev.cluster.install import BACKENDS, GATEWAY
from imghost_dev.cluster.kubectl import Kubectl, Object
from support.e2e.figures import Figures
from support.e2e.network import enforces_policies, reaches
from support.e2e.objects import Objects
from support.e2e.policies import End, allows
from support.e2e.tenants import ClusterTenant, Tenants

HTTP, OPS, POSTGRES, S3, KUBERNETES, HTTPS = 8080, 9090, 5432, 9000, 6443, 443
OUTSIDE = End("203.0.113.7")
METADATA_SERVICE = End("169.254.169.254")


@dataclass(frozen=True)
class Way:
    """A connection that may be made or not."""

    name: str
    source: Object
    target: Object | End
    port: int
    is_open: bool


@pytest.mark.requirement("001-33")
async def test_only_the_ways_that_are_needed_are_open(
    tenants: Tenants, objects: Objects, kubectl: Kubectl, tools_image: str, figures: Figures
) -> None:
    """No pod of a tenant reaches another tenant's, the Kubernetes API or the outside; its own ways, and those of the
    gateway it is open to, are open. Tried with packets where the network enforces policies, else worked out.
    """
    ours, theirs = await tenants.ready(), await tenants.ready()
    ways = _ways(objects, ours, theirs)
    policies = objects.list("NetworkPolicy")
    wrong = [way.name for way in ways if _is_allowed(objects, policies, way) != way.is_open]
    assert wrong == []
    if await enforces_policies(kubectl, objects, tools_image):
        wrong = [way.name for way in ways if _try(kubectl, way) != way.is_open]
        assert wrong == []
        figures.say(f"network policies: {len(ways)} connections tried with real packets")
    else:
        figures.say(
            "network policies: this cluster's network does not enforce them (a probe got through), so "
            f"{len(ways)} connections were checked by evaluating the cluster's own policies"
        )


def _ways(objects: Objects, ours: ClusterTenant, theirs: ClusterTenant) -> list[Way]:
    api, imaging = ours.pods("api")[0], ours.pods("imaging")[0]
    their_api, their_imaging = theirs.pods("api")[0], theirs.pods("imaging")[0]
    postgres, minio = (objects.get("Pod", f"{name}-0", BACKENDS) for name in ("postgres", "minio"))
    our_gate, their_gate = (_gateway(objects, tenant) for tenant in (ours, theirs))
    kubernetes = End(api["status"]["hostIP"])
    needed = [
        Way("api → its imaging's ops port", api, imaging, OPS, is_open=True),
        Way("api → PostgreSQL", api, postgres, POSTGRES, is_open=True),
        Way("api → MinIO", api, minio, S3, is_open=True),
        Way("imaging → PostgreSQL", imaging, postgres, POSTGRES, is_open=True),
        Way("imaging → MinIO", imaging, minio, S3, is_open=True),
        Way("gateway → api", our_gate, api, HTTP, is_open=True),
        Way("gateway → imaging", our_gate, imaging, HTTP, is_open=True),
        Way("gateway → imaging's ops port", our_gate, imaging, OPS, is_open=False),
        Way("gateway → api's ops port", their_gate, api, OPS, is_open=False),
    ]
    for name, source in (("api", api), ("imaging", imaging)):
        needed += [
            Way(f"{name} → another tenant's api", source, their_api, HTTP, is_open=False),
            Way(f"{name} → another tenant's imaging", source, their_imaging, HTTP, is_open=False),
            Way(f"{name} → another tenant's ops port", source, their_imaging, OPS, is_open=False),
            Way(f"{name} → the Kubernetes API", source, kubernetes, KUBERNETES, is_open=False),
            Way(f"{name} → the outside", source, OUTSIDE, HTTPS, is_open=False),
            Way(f"{name} → a cloud's metadata service", source, METADATA_SERVICE, 80, is_open=False),
        ]
    return needed


def _gateway(objects: Objects, tenant: ClusterTenant) -> Object:
    return objects.list("Pod", GATEWAY, f"tenant={tenant.name}")[0]


def _is_allowed(objects: Objects, policies: list[Object], way: Way) -> bool:
    return allows(policies, _end(objects, way.source), _end(objects, way.target), way.port)


def _end(objects: Objects, pod: Object | End) -> End:
    return pod if isinstance(pod, End) else End.of(pod, objects.get("Namespace", pod["metadata"]["namespace"]))


def _try(kubectl: Kubectl, way: Way) -> bool:
    address = way.target.address if isinstance(way.target, End) else way.target["status"]["podIP"]
    return reaches(kubectl, way.source, address, way.port)
