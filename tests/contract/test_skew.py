"""Api and imaging of different releases work together: fields that one of them does not know yet change nothing."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from imghost_api.main import create_apps
from imghost_core.contract.ingest import INGEST_PATH
from support import sample_images
from support.api import TenantDatabase, api_settings, migrated_tenant, register
from support.imaging_server import serve_imaging
from support.postgres import Postgres
from support.processes import HOST

ADDED = {"added_later": {"nested": [1, 2]}, "also_added": None}
FORWARDED = ("Authorization", "Content-Type", "X-Request-Id")


@pytest.fixture(scope="module")
def tenant(postgres: Postgres) -> TenantDatabase:
    """A migrated database."""
    return migrated_tenant(postgres)


@contextmanager
def later_release(imaging_url: str, **changed: object) -> Iterator[str]:
    """The address of a server that adds fields to each request to imaging and to each response, as a later release
    does; `changed` are the values of other fields in responses.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name: self.headers[name] for name in FORWARDED}
            response = httpx.post(
                imaging_url + self.path, json={**body, **ADDED}, headers=headers, timeout=30, trust_env=False
            )
            sent = json.dumps({**response.json(), **ADDED, **changed}).encode()
            self.send_response(response.status_code)
            self.send_header("Content-Type", response.headers["Content-Type"])
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Say nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@asynccontextmanager
async def open_api(tenant: TenantDatabase, store: Path, imaging_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an api that sends images to this imaging."""
    public, _ = create_apps(api_settings(tenant, store, imaging_url=imaging_url))
    assert isinstance(public.app, FastAPI)
    async with public.app.router.lifespan_context(public.app):
        transport = httpx.ASGITransport(app=public)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
            yield client


async def test_unknown_fields_in_both_directions_change_nothing(tenant: TenantDatabase, tmp_path: Path) -> None:
    """An upload is stored, and a damaged image is rejected with its code, when each side sends fields the other one
    does not know.
    """
    store = tmp_path / "store"
    store.mkdir()
    with serve_imaging(tenant, tmp_path, STORE_ROOT=str(store)) as imaging_url, later_release(imaging_url) as url:
        async with open_api(tenant, store, url) as client:
            person = await register(client)
            stored = await person.upload(sample_images.photo(320, 240))
            rejected = await person.upload(sample_images.photo(320, 240)[:500])
    assert (stored.status_code, stored.json()["image"]["metadata"]["width"]) == (201, 320)
    assert (rejected.status_code, rejected.json()["code"]) == (422, "corrupt_image")


async def test_a_format_that_only_a_later_imaging_knows_is_stored(tenant: TenantDatabase, tmp_path: Path) -> None:
    """The api stores a format, type and extension that it does not know, and builds URLs with them."""
    jxl = {"format": "jxl", "mime_type": "image/jxl", "extension": "jxl"}
    store = tmp_path / "store"
    store.mkdir()
    with (
        serve_imaging(tenant, tmp_path, STORE_ROOT=str(store)) as imaging_url,
        later_release(imaging_url, **jxl) as url,
    ):
        async with open_api(tenant, store, url) as client:
            stored = await (await register(client)).upload(sample_images.photo(320, 240))
    image = stored.json()["image"]
    assert (stored.status_code, image["metadata"]["format"]) == (201, "jxl"), stored.text
    assert image["filename"].endswith(".jxl")


async def test_the_fields_do_pass_the_wire(tenant: TenantDatabase, tmp_path: Path) -> None:
    """The server of the test above adds its fields for real, also to a response without any of its own."""
    with serve_imaging(tenant, tmp_path, STORE_ROOT=str(tmp_path)) as imaging_url, later_release(imaging_url) as url:
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"Authorization": "Bearer x", "Content-Type": "application/json", "X-Request-Id": "skew-test"}
            response = await client.post(url + INGEST_PATH, json={}, headers=headers)
    assert response.status_code == 401
    assert response.json()["added_later"] == ADDED["added_later"]
