"""Backends whose certificates a private authority signed: a real PostgreSQL and a real MinIO with TLS."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from imghost_core.errors import Unavailable
from imghost_core.objects.s3 import S3Store
from imghost_core.settings import StoreSettings
from imghost_dev import programs
from imghost_dev.certificates import Authority
from imghost_operator.build_inputs import Store, StoreUser
from imghost_operator.errors import BackendDown, InvalidSettings
from imghost_operator.provision.database import PostgresBackend
from imghost_operator.provision.storage import MinioBackend
from imghost_operator.settings import OperatorSettings
from imghost_operator.tenant_contract import CA_FOLDER, DATABASE_CA, STORE_CA, store_variables
from support.folders import shared_folder
from support.forwarder import PostgresTls
from support.minio import Minio
from support.postgres import Postgres
from support.processes import HOST

BUCKET = "images"
KEYS: dict[StoreUser, str] = {"api": secrets.token_urlsafe(30), "imaging": secrets.token_urlsafe(30)}
PASSWORDS = {role: secrets.token_urlsafe(30) for role in ("owner", "api", "imaging")}


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with shared_folder("tls") as folder:
        yield Authority(folder)


@pytest.fixture
async def tls(postgres: Postgres, authority: Authority) -> AsyncIterator[PostgresTls]:
    """TLS in front of the real server, whose build has none."""
    async with PostgresTls(postgres.port, authority.server([], [HOST], file="postgres")) as server:
        yield server


@pytest.fixture(scope="module")
def tls_minio(authority: Authority) -> Iterator[Minio]:
    with shared_folder("tls-minio") as folder:
        server = Minio(programs.minio(), folder, authority)
        server.start()
        yield server
        server.stop()


@pytest.mark.parametrize("given", ["by the settings", "by the URL"])
async def test_a_database_is_verified_by_the_operator_and_by_pods(
    postgres: Postgres, tls: PostgresTls, authority: Authority, tenant: str, given: str
) -> None:
    """Both sign in with verify-full; pods find the certificates, which come with the tenant, where their URL says."""
    url, file = through(tls, postgres), authority.certificate
    by_url = f"{url}?sslmode=verify-full&sslrootcert={file}"
    backend = PostgresBackend(by_url) if given == "by the URL" else PostgresBackend(url, ca_file=file)
    made = await backend.ensure(tenant, PASSWORDS, 5)
    assert made.ca == file.read_text()
    for tenant_url in made.urls.values():
        assert "sslmode=verify-full" in tenant_url
        here = tenant_url.replace(quote(f"{CA_FOLDER}/{DATABASE_CA}", safe=""), str(file))
        assert here != tenant_url
        before = tls.sessions
        async with await psycopg.AsyncConnection.connect(here) as connection:
            await connection.execute("SELECT 1")
        assert tls.sessions == before + 1


async def test_a_database_of_another_authority_is_refused(postgres: Postgres, tls: PostgresTls, tmp_path: Path) -> None:
    """No password is sent to a server that the certificates given do not vouch for."""
    another = Authority(tmp_path)
    with pytest.raises(BackendDown):
        await PostgresBackend(through(tls, postgres), ca_file=another.certificate).check()
    assert tls.sessions == 0


def through(tls: PostgresTls, postgres: Postgres) -> str:
    """The admin URL of the server, by way of TLS."""
    return postgres.admin_url.replace(f":{postgres.port}/", f":{tls.port}/")


def test_how_much_is_verified_is_the_urls_choice() -> None:
    """What the URL says of TLS holds for pods; the operating system's authorities need no file."""
    url = "postgresql://a:b@pg/postgres"
    for options, carried in (
        ("", ""),
        ("?sslmode=require", "?sslmode=require"),
        ("?sslrootcert=system", "?sslmode=verify-full&sslrootcert=system"),
    ):
        described = PostgresBackend(url + options).describe("demo", PASSWORDS)
        assert described.urls["api"].endswith(f":5432/iht_demo{carried}")
        assert described.ca == ""


@pytest.mark.parametrize(
    "content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_certificates_is_one_line_at_the_start(tmp_path: Path, content: str | None) -> None:
    """The line names the backend and the file."""
    file = tmp_path / "ca.crt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InvalidSettings, match=f"database instance 'default' in {file}"):
        PostgresBackend("postgresql://a:b@pg/postgres", ca_file=file)
    with pytest.raises(InvalidSettings, match=f"store 'default' in {file}"):
        MinioBackend("https://minio", BUCKET, "a", "b", ca_file=file)


def test_a_private_key_with_the_certificates_stays_here(authority: Authority, tmp_path: Path) -> None:
    """Of a file with a key and certificates, as some servers want them, tenants get the certificates only."""
    file, pair = tmp_path / "both.pem", authority.server(["pg"], [], file="both")
    certificates = [path.read_text() for path in (pair.certificate, authority.certificate)]
    file.write_text(pair.key.read_text() + "".join(certificates))
    given = PostgresBackend("postgresql://a:b@pg/postgres", ca_file=file).describe("demo", PASSWORDS).ca
    assert given == "".join(certificates)


def test_the_settings_name_the_files(authority: Authority) -> None:
    """`ca_file` of a database and of a store reaches what tenants get."""
    database = {"admin_url": "postgresql://a:b@pg/postgres", "ca_file": authority.certificate}
    store = {"endpoint": "https://s", "bucket": BUCKET, "access_key": "a", "secret_key": "b"}
    settings = OperatorSettings.model_validate(
        {
            "databases": {"default": database},
            "stores": {"default": {"kind": "s3", **store, "ca_file": authority.certificate}},
        }
    )
    found = {
        settings.databases["default"].backend("default").describe("demo", PASSWORDS).ca,
        settings.stores["default"].backend("default").describe("demo", KEYS).ca,
    }
    assert found == {authority.certificate.read_text()}


def settings_of(store: Store, authority: Authority) -> StoreSettings:
    """What the pods' store is configured with, the file being here."""
    variables = {**store.config, **store_variables(store, "imaging")}
    assert variables["S3_CA_FILE"] == f"{CA_FOLDER}/{STORE_CA}"
    variables["S3_CA_FILE"] = str(authority.certificate)
    return StoreSettings.model_validate({name.lower(): value for name, value in variables.items()})


@pytest.mark.services("minio")
async def test_a_store_is_verified_by_the_operator_and_by_pods(tls_minio: Minio, authority: Authority) -> None:
    """The operator makes keys over TLS, and the services' own store works with what is provisioned."""
    backend = MinioBackend(
        tls_minio.endpoint, BUCKET, tls_minio.access_key, tls_minio.secret_key, ca_file=authority.certificate
    )
    made = await backend.ensure("tls", KEYS)
    assert made.ca == authority.certificate.read_text()
    store = S3Store(settings_of(made, authority))
    try:
        await store.put("image", b"image", content_type="image/jpeg")
        assert await store.get("image") == b"image"
    finally:
        await store.close()
    without = {**settings_of(made, authority).model_dump(), "s3_ca_file": None}
    store = S3Store(StoreSettings.model_validate(without))
    try:
        with pytest.raises(Unavailable):
            await store.get("image")
    finally:
        await store.close()


@pytest.mark.services("minio")
async def test_a_store_of_another_authority_is_refused(tls_minio: Minio, tmp_path: Path) -> None:
    """No request is sent to a server that the certificates given, or public ones, do not vouch for."""
    another = Authority(tmp_path)
    for file in (another.certificate, None):
        backend = MinioBackend(tls_minio.endpoint, BUCKET, tls_minio.access_key, tls_minio.secret_key, ca_file=file)
        with pytest.raises(BackendDown):
            await backend.check()
