"""The imaging service for tests: the real apps in this process, on a real database and a real store."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from starlette.types import ASGIApp, Message

from imghost_core import ids, object_keys
from imghost_core.contract.ingest import INGEST_PATH, Ingested
from imghost_core.objects import ObjectStore, open_store
from imghost_core.settings import DatabaseSettings, StoreSettings
from imghost_imaging.main import create_apps
from imghost_imaging.settings import ImagingSettings

TOKEN = "test-token-of-the-internal-door"
SECRET = "imaging-test-password"


@dataclass(frozen=True)
class ImagingDatabase:
    """A migrated database with one workspace: how its owner and the imaging role reach it."""

    admin_url: str
    imaging_url: str
    workspace: uuid.UUID
    user: uuid.UUID

    def execute(self, query: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a statement as superuser, and return its rows."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(query), values)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database_away(self, server_url: str) -> Iterator[None]:
        """End all connections to this one database and accept no new ones; other tests' databases stay."""
        name = conninfo_to_dict(self.admin_url)["dbname"]
        allow = "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL(allow).format(sql.Identifier(str(name)), sql.Literal(False)))
            connection.execute(end, [name])
            try:
                yield
            finally:
                connection.execute(sql.SQL(allow).format(sql.Identifier(str(name)), sql.Literal(True)))

    def insert_image(self, row: dict[str, Any]) -> None:
        """Insert a row into `images`, as api does after a successful ingest."""
        names = sql.SQL(", ").join(map(sql.Identifier, row))
        places = sql.SQL(", ").join(map(sql.Placeholder, row))
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL("INSERT INTO images ({}) VALUES ({})").format(names, places), row)


@dataclass(frozen=True)
class Stored:
    """An uploaded image: its ids, its bytes, and the response of imaging."""

    public_id: str
    image: uuid.UUID
    body: bytes
    found: Ingested


@dataclass
class Imaging:
    """Both listeners of the service, and what a test needs to act as the api does."""

    tenant: ImagingDatabase
    store: ObjectStore
    public: httpx.AsyncClient
    ops: httpx.AsyncClient
    app: ASGIApp | None = None
    """The public app, when it runs in this process."""

    async def put(self, body: bytes) -> dict[str, Any]:
        """Store an original; returns the ingest request for it."""
        request: dict[str, Any] = {
            "workspace": str(self.tenant.workspace),
            "image": str(ids.uuid7()),
            "sha256": hashlib.sha256(body).hexdigest(),
            "size": len(body),
        }
        key = object_keys.original(self.tenant.workspace, uuid.UUID(request["image"]), request["sha256"])
        await self.store.put(key, body, content_type="application/octet-stream")
        return request

    async def ingest(self, request: dict[str, Any], token: str = TOKEN) -> httpx.Response:
        """Request ingest of a stored original, as the api does."""
        headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "request-from-api"}
        return await self.ops.post(INGEST_PATH, json=request, headers=headers)

    async def upload(self, body: bytes, name: str = "holiday.jpg", *, public: bool = True) -> Stored:
        """Store and ingest an original and insert its row, as the api does."""
        request = await self.put(body)
        response = await self.ingest(request)
        assert response.status_code == 200, response.text
        found = Ingested.model_validate_json(response.content)
        stored = Stored(ids.public_id(), uuid.UUID(request["image"]), body, found)
        row = found.model_dump() | {
            "id": stored.image,
            "public_id": stored.public_id,
            "workspace_id": self.tenant.workspace,
            "user_id": self.tenant.user,
            "original_name": name,
            "file_size": len(body),
            "sha256": request["sha256"],
            "is_public": public,
        }
        self.tenant.insert_image(row)
        return stored

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """GET a public path; in names of headers `_` stands for `-`."""
        return await self.public.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def view_events(self, stored: Stored) -> list[tuple[Any, ...]]:
        """Variant, bytes, status, whether it is a view, referring host and user agent of each delivery, in order."""
        query = (
            "SELECT variant, bytes, status, is_view, referrer_host, user_agent FROM view_events"
            " WHERE image_id = %(id)s ORDER BY id"
        )
        return await asyncio.to_thread(self.tenant.execute, query, {"id": stored.image})

    async def stored_keys(self, image: uuid.UUID | str) -> list[str]:
        """The keys of all objects of an image, without their common prefix."""
        prefix = object_keys.image_prefix(self.tenant.workspace, uuid.UUID(str(image)))
        return [info.key.removeprefix(prefix) async for info in self.store.list(prefix)]

    async def lose(self, stored: Stored, *files: str) -> None:
        """Delete some objects of an image, as a broken disk does."""
        prefix = object_keys.image_prefix(self.tenant.workspace, stored.image)
        for name in files:
            await self.store.delete_prefix(prefix + name)

    async def metric(self, name: str) -> float:
        """The value of one metric line, such as `imghost_imaging_rejects_total{reason="polyglot"}`; 0 when absent."""
        lines = (await self.ops.get("/metrics")).text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " ")), 0.0)


@asynccontextmanager
async def running(tenant: ImagingDatabase, storage: StoreSettings, **changes: Any) -> AsyncIterator[Imaging]:
    """The service on `storage`, started as its process starts it; `changes` are settings."""
    settings = ImagingSettings(internal_token=SecretStr(TOKEN), **changes)
    database = DatabaseSettings(database_url=SecretStr(tenant.imaging_url), database_timeout_seconds=2)
    public, ops = create_apps(settings, database, storage)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_lifespan(public))
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://imaging")
            )
            for app in (public, ops)
        ]
        store = open_store(storage)
        stack.push_async_callback(store.close)
        yield Imaging(tenant, store, clients[0], clients[1], public)


@asynccontextmanager
async def _lifespan(app: ASGIApp) -> AsyncIterator[None]:
    """Start and end an app by the ASGI lifespan protocol, as a server does."""
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    running = asyncio.ensure_future(app(scope, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    assert (await from_app.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        await running
