"""The real imaging service as a process of its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.api import TOKEN, TenantDatabase
from support.processes import HOST, Process, accepts, free_port


@contextmanager
def serve_imaging(tenant: TenantDatabase, folder: Path, **environment: str) -> Iterator[str]:
    """Serve images of `tenant` until left; yields the base address of the ops listener."""
    port, ops = free_port(), free_port()
    settings = {
        "TENANT": tenant.name,
        "HOST": HOST,
        "PORT": str(port),
        "OPS_PORT": str(ops),
        "DATABASE_URL": tenant.url("imaging"),
        "STORE_KIND": "filesystem",
        "INTERNAL_TOKEN": TOKEN,
        "QUEUE_PER_SLOT": "500",
        "SLOT_WAIT_SECONDS": "60",
        **environment,
    }
    argv = [sys.executable, "-m", "imghost_imaging"]
    process = Process(argv, folder / "imaging.log", env=settings)
    process.wait_until(lambda: accepts(ops), within=30)
    try:
        yield f"http://{HOST}:{ops}"
    finally:
        process.stop()
