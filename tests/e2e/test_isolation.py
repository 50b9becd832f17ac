"""One tenant and what it may not reach of another, each wall tried with real credentials."""

import httpx
import psycopg
import pytest
from minio.error import S3Error

from support import sample_images
from support.e2e.backends import Backends
from support.e2e.tenants import ClusterTenant, Tenants

IMAGE = sample_images.photo(800, 600)


@pytest.mark.requirement("000-A8", "001-33")
async def test_a_tenants_credentials_open_nothing_of_another(tenants: Tenants, backends: Backends) -> None:
    """API key, token, password, database roles and store key of one tenant are refused by the other's API, database
    and place in the store, and everything stays as it was.
    """
    ours, theirs = await tenants.ready(), await tenants.ready()
    owner, stranger = await theirs.client.register(), await ours.client.register()
    image = await theirs.client.upload_or_fail(owner, IMAGE)

    await _assert_api_is_closed(theirs, stranger.key, stranger.token)
    assert (await theirs.client.login(stranger)).status_code == httpx.codes.UNAUTHORIZED
    _assert_database_is_closed(backends, ours, theirs)
    _assert_store_is_closed(backends, ours, theirs)

    assert (await theirs.client.view(image["view_url"])).content == IMAGE
    assert (await ours.client.view(f"{ours.urls['view']}/i/{image['id']}")).status_code == httpx.codes.NOT_FOUND


async def _assert_api_is_closed(tenant: ClusterTenant, key: str, token: str) -> None:
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {token}"}):
        answers = [
            await tenant.client.http.get(f"{tenant.urls['upload']}/images", headers=headers),
            await tenant.client.http.get(f"{tenant.urls['auth']}/api/v1/account", headers=headers),
            await tenant.client.http.post(
                f"{tenant.urls['upload']}/upload", headers=headers, files={"file": ("a.jpg", IMAGE)}
            ),
        ]
        assert {response.status_code for response in answers} == {httpx.codes.UNAUTHORIZED}


def _assert_database_is_closed(backends: Backends, ours: ClusterTenant, theirs: ClusterTenant) -> None:
    """None of our roles may even connect to their database, or log in as one of their roles."""
    their_url = theirs.secret("database-api")["DATABASE_URL"]
    their = psycopg.conninfo.conninfo_to_dict(their_url)
    assert backends.rows("SELECT count(*) FROM images", database=str(their["dbname"])) == [(1,)]
    for role in ("owner", "api", "imaging"):
        our_url = ours.secret(f"database-{role}")["DATABASE_URL"]
        with backends.database(our_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            _connect(backends, our_url, dbname=their["dbname"])
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            _connect(backends, our_url, user=their["user"], dbname=their["dbname"])


def _connect(backends: Backends, url: str, **instead: object) -> None:
    with backends.database(url, **instead):
        pass


def _assert_store_is_closed(backends: Backends, ours: ClusterTenant, theirs: ClusterTenant) -> None:
    """Our key lists, reads, writes and deletes below our prefix only."""
    key, place = ours.secret("storage"), ours.get("ConfigMap", "api")["data"]
    bucket, their_prefix = place["S3_BUCKET"], theirs.get("ConfigMap", "api")["data"]["S3_PREFIX"]
    store = backends.store(key["S3_ACCESS_KEY_ID"], key["S3_SECRET_ACCESS_KEY"])
    their_objects = [
        item.object_name for item in backends.whole_store().list_objects(bucket, their_prefix, recursive=True)
    ]
    assert their_objects
    assert list(store.list_objects(bucket, place["S3_PREFIX"], recursive=True)) == []
    for prefix in (their_prefix, "", their_prefix.rstrip("/")):
        with pytest.raises(S3Error, match="AccessDenied"):
            list(store.list_objects(bucket, prefix, recursive=True))
    for name in their_objects:
        for attempt in (store.stat_object, store.get_object, store.remove_object):
            with pytest.raises(S3Error, match="AccessDenied"):
                attempt(bucket, name)
    with pytest.raises(S3Error, match="AccessDenied"):
        store.fput_object(bucket, f"{their_prefix}intruder", __file__)
    assert their_objects == [
        item.object_name for item in backends.whole_store().list_objects(bucket, their_prefix, recursive=True)
    ]
