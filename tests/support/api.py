"""The api service for tests: a tenant's database with its three roles, settings, callers."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from joserfc.jwk import OKPKey
from psycopg import sql
from starlette.types import ASGIApp

from imghost_api.db.schema import VERSION_TABLES
from imghost_api.migrate import migrate
from imghost_api.settings import ApiSettings, MigrateSettings, WorkerSettings
from support.postgres import Postgres

PEPPER = "canary-pepper-of-at-least-32-characters"
TOKEN = "canary-internal-token-of-at-least-32-characters"
PRIVATE_KEY = OKPKey.generate_key("Ed25519").as_pem(private=True).decode()
PASSWORD = "canary correct horse battery staple"
JSON = dict[str, Any]


FORM_HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
"""The beginning of a form with the boundary `b`, up to the bytes of the file."""


@dataclass(frozen=True)
class TenantDatabase:
    """One tenant's migrated database. `url(role)` is the address as owner, api or imaging."""

    server: Postgres
    name: str
    passwords: Mapping[str, str] = field(
        default_factory=lambda: {role: f"canary-{secrets.token_hex(8)}" for role in ("owner", "api", "imaging")}
    )

    def role(self, role: str) -> str:
        return f"{self.name}_{role}"

    def url(self, role: str) -> str:
        return (
            f"postgresql://{self.role(role)}:{self.passwords[role]}@{self.server.host}:{self.server.port}/{self.name}"
        )

    @property
    def admin_url(self) -> str:
        return self.server.url(self.name)

    def create(self) -> None:
        """Roles and an empty database, as the operator provisions them."""
        with psycopg.connect(self.server.admin_url, autocommit=True) as connection:
            for role, password in self.passwords.items():
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(self.role(role)), password)
                )
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(self.name), sql.Identifier(self.role("owner"))
                )
            )

    def migrate_settings(self) -> MigrateSettings:
        return MigrateSettings(
            database_url=self.url("owner"), api_role=self.role("api"), imaging_role=self.role("imaging")
        )

    def migrate(self) -> None:
        """Expand and contract the schema, as the two Jobs of a release do."""
        for phase in VERSION_TABLES:
            migrate(self.migrate_settings(), phase)

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows, as the superuser sees them: past every wall."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


def new_tenant(server: Postgres) -> TenantDatabase:
    """A tenant with a database and roles of its own, not migrated yet."""
    tenant = TenantDatabase(server, f"api_{secrets.token_hex(4)}")
    tenant.create()
    return tenant


def migrated_tenant(server: Postgres) -> TenantDatabase:
    """A tenant with a database of its own and the whole schema."""
    tenant = new_tenant(server)
    tenant.migrate()
    return tenant


def api_settings(tenant: TenantDatabase, store: Path, **changes: Any) -> ApiSettings:
    """Settings of an api on the filesystem store; imaging is out of reach unless `imaging_url` is given."""
    return ApiSettings(**api_values(tenant, store, **changes))


def api_values(tenant: TenantDatabase, store: Path, **changes: Any) -> JSON:
    """The settings as names and values, as `api_settings` uses them."""
    return {
        "tenant": tenant.name,
        "database_url": tenant.url("api"),
        "store_kind": "filesystem",
        "store_root": str(store),
        "imaging_url": "http://127.0.0.1:9",
        "internal_token": TOKEN,
        "jwt_private_key": PRIVATE_KEY,
        "api_key_pepper": PEPPER,
        "auth_server_url": "http://auth.test",
        "view_server_url": "http://view.test",
        "cdn_base_url": "http://cdn.test",
        # All tests have one address, and upload for few workspaces. The limits have tests of their own, which set them.
        "registrations_per_address": 1_000_000,
        "registrations_in_all": 1_000_000,
        "login_attempts_per_address": 1_000_000,
        "login_attempts_in_all": 1_000_000,
        "upload_concurrency_per_workspace": 1_000,
        "uploads": 1_000,
        "uploads_per_address": 1_000,
        "refusal_delay_seconds": 0,
        **changes,
    }


def worker_settings(tenant: TenantDatabase, store: Path, **changes: Any) -> WorkerSettings:
    """Settings of a worker on the same database and store."""
    return WorkerSettings(**worker_values(tenant, store, **changes))


def worker_values(tenant: TenantDatabase, store: Path, **changes: Any) -> JSON:
    """The settings as names and values, as `worker_settings` uses them."""
    return {
        "tenant": tenant.name,
        "database_url": tenant.url("api"),
        "store_kind": "filesystem",
        "store_root": str(store),
        **changes,
    }


def environment(values: JSON) -> dict[str, str]:
    """Settings as the environment of a process."""
    return {name.upper(): str(value) for name, value in values.items()}


def api_environment(tenant: TenantDatabase, store: Path, **changes: Any) -> dict[str, str]:
    """The settings as the environment of an api process."""
    return environment(api_values(tenant, store, **changes))


@dataclass(frozen=True)
class Person:
    """A registered user: their names, token, first key and workspace."""

    client: httpx.AsyncClient
    names: JSON
    registration: JSON

    @property
    def token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.registration['token']}"}

    @property
    def key(self) -> dict[str, str]:
        return {"X-API-Key": str(self.registration["api_key"]["key"])}

    @property
    def id(self) -> str:
        return str(self.registration["user"]["id"])

    async def upload(self, image: bytes, name: str = "image.jpg", **headers: str) -> httpx.Response:
        return await self.client.post(
            "/upload", headers={**self.key, **headers}, files={"file": (name, image, "application/octet-stream")}
        )

    async def quota(self) -> JSON:
        response = await self.client.get("/upload/quota", headers=self.key)
        assert response.status_code == 200, response.text
        quota: JSON = response.json()["quota"]
        return quota


def names() -> JSON:
    """What a new user fills in, with unique names."""
    unique = secrets.token_hex(6)
    return {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "username": f"ada-{unique}",
        "email": f"ada-{unique}@example.org",
        "password": PASSWORD,
    }


async def register(client: httpx.AsyncClient, **changes: Any) -> Person:
    """A new user."""
    wanted = {**names(), **changes}
    response = await client.post("/api/v1/auth/register", json=wanted)
    assert response.status_code == 201, response.text
    return Person(client, wanted, response.json())


def client_from(app: ASGIApp, address: str) -> httpx.AsyncClient:
    """A client of `app` whose requests come from `address`."""
    transport = httpx.ASGITransport(app=app, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url="http://api.test")


def problem(response: httpx.Response, status: int, code: str) -> JSON:
    """The problem document of a response that must be one, whole and without secrets."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: JSON = response.json()
    assert (document["code"], document["status"], document["success"]) == (code, status, False), document
    assert document["detail"] == document["message"]
    assert document["title"]
    assert document["type"].endswith(code)
    assert document["request_id"] == response.headers["x-request-id"]
    assert "canary" not in response.text
    return document
