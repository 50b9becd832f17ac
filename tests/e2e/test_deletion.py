"""The end of a tenant: with its data, or without."""

import json

import psycopg
import pytest
from minio.error import S3Error

from imghost_dev.cluster.install import BUCKET
from imghost_operator.provision.database import database_name
from support import sample_images
from support.e2e.backends import Backends
from support.e2e.figures import Figures
from support.e2e.objects import PATHS, Objects
from support.e2e.tenants import ClusterTenant, Tenants

IMAGE = sample_images.photo(800, 600)


async def test_delete_leaves_nothing(tenants: Tenants, objects: Objects, backends: Backends, figures: Figures) -> None:
    """With deletionPolicy Delete nothing is left in the cluster, in the database server and in the store."""
    tenant = await tenants.ready(deletionPolicy="Delete")
    account = await tenant.client.register()
    await tenant.client.upload_or_fail(account, IMAGE)
    assert tenant.stored(backends)

    tenant.delete()
    with figures.measure("tenant deleted with its data"):
        await tenant.wait_until_deleted()
    assert _named_after(objects, tenant) == []
    assert tenant.stored(backends) == []
    assert backends.rows("SELECT datname FROM pg_database WHERE datname = %s", database_name(tenant.name)) == []
    assert backends.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", f"{database_name(tenant.name)}%") == []
    assert _keys(backends, tenant) == []


async def test_retain_keeps_the_data_for_a_new_tenant(tenants: Tenants, backends: Backends, figures: Figures) -> None:
    """With Retain the credentials do not work while there is no tenant, and the data stays; a new tenant of that name
    has accounts, API keys and images again.
    """
    tenant = await tenants.ready(deletionPolicy="Retain")
    account = await tenant.client.register()
    image = await tenant.client.upload_or_fail(account, IMAGE)
    uid = tenant.now["metadata"]["uid"]
    old_url, old_key = tenant.secret("database-api")["DATABASE_URL"], tenant.secret("storage")

    tenant.delete()
    with figures.measure("tenant deleted, data retained"):
        await tenant.wait_until_deleted()
    assert tenant.stored(backends)
    with pytest.raises(psycopg.OperationalError, match=r"not permitted to log in|authentication failed"):
        _connect(backends, old_url)
    store = backends.store(old_key["S3_ACCESS_KEY_ID"], old_key["S3_SECRET_ACCESS_KEY"])
    with pytest.raises(S3Error, match="InvalidAccessKeyId"):
        list(store.list_objects(BUCKET, f"{tenant.name}/"))

    again = await tenants.ready(name=tenant.name)
    assert again.now["metadata"]["uid"] != uid
    seen = await again.client.view(f"{again.urls['view']}/i/{image['id']}")
    assert seen.content == IMAGE
    assert (await again.client.login(account)).status_code == 200
    await again.client.upload_or_fail(account, IMAGE)  # with the API key from before
    assert again.secret("database-api")["DATABASE_URL"] == old_url


def _connect(backends: Backends, url: str) -> None:
    with backends.database(url):
        pass


def _keys(backends: Backends, tenant: ClusterTenant) -> list[str]:
    names = [name for known in backends.store_keys() for name in json.loads(known)]
    return [name for name in names if name.startswith(f"iht-{tenant.name}-")]


def _named_after(objects: Objects, tenant: ClusterTenant) -> list[str]:
    """Every object of the cluster, of the kinds we know, that is in the tenant's namespace or carries its name."""
    return [
        f"{kind} {item['metadata']['name']}"
        for kind in PATHS
        for item in objects.list(kind)
        if item["metadata"].get("namespace") == tenant.namespace
        or item["metadata"].get("labels", {}).get("imghost.dev/tenant") == tenant.name
    ]
