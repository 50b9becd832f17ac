"""A MinIO of the measurement's own, with or without TLS."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import S3Error

from imghost_core.settings import StoreSettings
from imghost_dev import minio_server, programs
from imghost_dev.certificates import Authority
from imghost_local import processes
from imghost_local.postgres import free_port

HOST = "127.0.0.1"
BUCKET = "bench-stores"
START_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """Where the server is and how a client of it is configured."""

    port: int
    environment: dict[str, str]

    def settings(self, **changes: object) -> StoreSettings:
        """What a store is opened with in this process."""
        values = {name.lower(): value for name, value in self.environment.items() if name != "SSL_CERT_FILE"}
        return StoreSettings.model_validate(values | changes)


@contextmanager
def running(folder: Path, scheme: str) -> Iterator[Server]:
    """A server with an empty bucket; it and its objects are removed afterwards."""
    folder.mkdir()
    port, secret = free_port(), secrets.token_urlsafe(24)
    certificates = _certificates(folder) if scheme == "https" else None
    argv = minio_server.command(programs.minio(), f"{HOST}:{port}", folder / "data")
    argv += ["--certs-dir", certificates] if certificates else []
    settings = {**os.environ, **minio_server.environment(secret)}
    process = processes.start([str(part) for part in argv], env=settings, cwd=folder, log=folder / "minio.log")
    try:
        _make_bucket(f"{HOST}:{port}", secret, certificates)
        environment = {
            "STORE_KIND": "s3",
            "S3_ENDPOINT": f"{scheme}://{HOST}:{port}",
            "S3_BUCKET": BUCKET,
            "S3_PREFIX": "bench/",
            "S3_ACCESS_KEY_ID": minio_server.ACCESS_KEY,
            "S3_SECRET_ACCESS_KEY": secret,
        }
        yield Server(port, environment | ({"SSL_CERT_FILE": str(certificates / "ca.crt")} if certificates else {}))
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _certificates(folder: Path) -> Path:
    """A folder as MinIO reads it: public.crt and private.key; ca.crt is for the clients."""
    target = folder / "certificates"
    target.mkdir()
    pair = Authority(target).server(["localhost"], [HOST])
    pair.certificate.rename(target / "public.crt")
    pair.key.rename(target / "private.key")
    return target


def _make_bucket(address: str, secret: str, certificates: Path | None) -> None:
    """Wait until the server responds, by making the bucket."""
    pool = urllib3.PoolManager(retries=False, ca_certs=str(certificates / "ca.crt") if certificates else None)
    client = Minio(address, minio_server.ACCESS_KEY, secret, secure=certificates is not None, http_client=pool)
    deadline = time.monotonic() + START_SECONDS
    while not _made_bucket(client):
        if time.monotonic() > deadline:
            raise TimeoutError(f"MinIO at {address} did not respond within {START_SECONDS} s")
        time.sleep(0.05)


def _made_bucket(client: Minio) -> bool:
    try:
        client.make_bucket(BUCKET)
    except (urllib3.exceptions.HTTPError, S3Error):  # not listening yet, or not initialized
        return False
    return True
