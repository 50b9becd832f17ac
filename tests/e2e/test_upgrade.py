"""New releases, of everything or of one service, reach tenants that are in use."""

import asyncio
import json
from functools import partial

import pytest

from imghost_dev.cluster.install import Installation
from imghost_dev.cluster.kubectl import Kubectl, Object
from imghost_dev.cluster.provider import Provider
from support.e2e import faults, release
from support.e2e.backends import Backends
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
        await faults.wait_until_replaced(tenant, before)
        await tenant.wait_until_settled()
        assert _images(faults.servers(tenant)) == set(tags.values())
        jobs = [job for job in tenant.children("Job") if _images([job["spec"]["template"]]) == {tags["api"]}]
        post, pre = sorted(jobs, key=lambda job: str(job["metadata"]["name"]))
        create = [pod["metadata"]["creationTimestamp"] for pod in faults.servers(tenant)]
        assert pre["status"]["completionTime"] <= min(create)
        assert post["status"]["startTime"] >= max(create)

    try:
        with release.another(provider) as tags:
            await under_load.assert_unnoticed("upgrade", partial(upgrade, tags))
    finally:
        await asyncio.to_thread(installation.operator)


# Run in a pod of api: sends the request that it sends for an upload, and prints the fields of both messages.
_INGEST = """
import httpx, json, os, sys
from imghost_core.contract.ingest import INGEST_PATH, IngestRequest
request = IngestRequest.model_validate_json(sys.argv[1]).model_dump_json()
headers = {"Authorization": f"Bearer {os.environ['INTERNAL_TOKEN']}", "Content-Type": "application/json"}
response = httpx.post(os.environ["IMAGING_URL"] + INGEST_PATH, content=request, headers=headers, timeout=30)
fields = {"sent": list(json.loads(request)), "received": list(response.json())}
print(json.dumps({"status": response.status_code, **fields}))
"""
_STORED = """
    SELECT json_build_object('workspace', workspace_id, 'image', id, 'sha256', sha256, 'size', file_size)::text
    FROM images ORDER BY uploaded_at LIMIT 1
"""


@pytest.mark.timeout(400)
async def test_one_service_is_upgraded_before_the_other(
    under_load: Faults, provider: Provider, kubectl: Kubectl, backends: Backends
) -> None:
    """Under load imaging gets a release whose messages have a new field, then api gets it and imaging goes back: in
    both combinations the field travels and is ignored, and no request fails.
    """

    async def one_by_one(tags: dict[str, str], tenant: ClusterTenant) -> None:
        tenant.edit(imaging={"image": tags["imaging"]})
        await faults.wait_until_rolled_out(tenant, "imaging", tags["imaging"])
        assert _exchanged(kubectl, backends, tenant) == (False, True)
        tenant.edit(api={"image": tags["api"]}, imaging={"image": None})
        await faults.wait_until_rolled_out(tenant, "api", tags["api"])
        await tenant.wait_until_settled()
        assert tags["imaging"] not in _images(tenant.pods("imaging"))
        assert _exchanged(kubectl, backends, tenant) == (True, False)

    with release.with_a_later_contract(provider) as tags:
        await under_load.assert_unnoticed("upgrade of one service", partial(one_by_one, tags))


def _exchanged(kubectl: Kubectl, backends: Backends, tenant: ClusterTenant) -> tuple[bool, bool]:
    """Whether the request of an api pod has the added field, and whether imaging's response has it."""
    ((request,),) = backends.rows(_STORED, database=tenant.database)
    pod = tenant.pods("api")[0]["metadata"]["name"]
    printed = kubectl("exec", pod, f"--namespace={tenant.namespace}", "--", "python", "-c", _INGEST, request)
    exchanged = json.loads(printed)
    assert exchanged["status"] == 200, exchanged
    return release.ADDED in exchanged["sent"], release.ADDED in exchanged["received"]


def _of(installation: Installation, tags: dict[str, str]) -> dict[str, object]:
    """The chart's values for these images of the services."""
    images = {name: {"repository": name, "tag": tag.rpartition(":")[2]} for name, tag in tags.items()}
    return {"images": installation.values()["images"] | images}


def _images(pods: list[Object]) -> set[str]:
    return {container["image"] for pod in pods for container in pod["spec"]["containers"]}
