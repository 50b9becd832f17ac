"""The database of an installation: an embedded PostgreSQL, with the data and if possible the port of the last start."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from imghost_local import database_folder
from imghost_local.addresses import bindable
from imghost_local.documents import Documents
from imghost_local.postgres import EmbeddedPostgres, free_port


@asynccontextmanager
async def running(documents: Documents, log: Path, show: Callable[[str], None]) -> AsyncIterator[EmbeddedPostgres]:
    """Start it, and stop it at the end. `show` is called with each step."""
    folder = database_folder.find(documents)
    outside = "" if folder.is_relative_to(documents.root) else _reason(folder, documents.root)
    show(("Starting PostgreSQL" if folder.exists() else "Creating a PostgreSQL database") + outside)
    port = database_folder.port(documents)
    if not bindable("127.0.0.1", port):
        port = free_port()  # passwords stay; the operator writes the new port into the tenants' Secrets
    server = EmbeddedPostgres(folder, port=port, log=log)
    database_folder.remember(documents, folder, server.port)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def _reason(folder: Path, root: Path) -> str:
    return f" in {folder}, because it does not run as root and other users cannot enter {root.parent}"
