"""A new release of everything reaches tenants that are in use."""

import asyncio
from functools import partial

from imghost_dev.cluster.install import Installation
from imghost_dev.cluster.kubectl import Object
from imghost_dev.cluster.provider import Provider
from support.e2e import faults, release
from support.e2e.faults import Faults
from support.e2e.tenants import ClusterTenant


async def test_a_new_release_is_not_noticed(under_load: Faults, provider: Provider, installation: Installation) -> None:
    """`helm upgrade` to new images under load: the schema is expanded first, then all pods are replaced, old ones when
    new ones serve, then the schema is contracted; a client with one retry sees no failed request, and no acknowledged
    upload is lost.
    """

    async def upgrade(tags: dict[str, str], tenant: ClusterTenant) -> None:
        before = faults.names(tenant)
        await asyncio.to_thread(installation.operator, _of(installation, tags))
        await faults.replaced(tenant, before)
        await tenant.settled()
        assert _images(faults.servers(tenant)) == set(tags.values())
        jobs = [job for job in tenant.children("Job") if _images([job["spec"]["template"]]) == {tags["api"]}]
        post, pre = sorted(jobs, key=lambda job: str(job["metadata"]["name"]))
        created = [pod["metadata"]["creationTimestamp"] for pod in faults.servers(tenant)]
        assert pre["status"]["completionTime"] <= min(created)
        assert post["status"]["startTime"] >= max(created)

    try:
        with release.another(provider) as tags:
            await under_load.unnoticed("upgrade", partial(upgrade, tags))
    finally:
        await asyncio.to_thread(installation.operator)


def _of(installation: Installation, tags: dict[str, str]) -> dict[str, object]:
    """The chart's values for these images of the services."""
    images = {name: {"repository": name, "tag": tag.rpartition(":")[2]} for name, tag in tags.items()}
    return {"images": installation.values()["images"] | images}


def _images(pods: list[Object]) -> set[str]:
    return {container["image"] for pod in pods for container in pod["spec"]["containers"]}
