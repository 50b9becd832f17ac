"""The cluster's PostgreSQL and MinIO, reached from this machine with any tenant's credentials."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import urllib3
from minio import Minio
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin
from psycopg.conninfo import conninfo_to_dict

from imghost_dev.cluster.install import BACKENDS, NAMESPACE
from imghost_dev.cluster.kubectl import Object
from support.e2e.objects import Objects

PORTS = {"postgres": 5432, "minio": 9000}


class Backends:
    """Both servers at the node's `address`; `open` makes the way there, `close` takes it away."""

    def __init__(self, objects: Objects, address: str) -> None:
        self._objects, self._address = objects, address
        self._ports: dict[str, int] = {}

    def open(self) -> None:
        """Give each server a port of the node."""
        for name, port in PORTS.items():
            self._objects.delete("Service", f"e2e-{name}", BACKENDS)
            made = self._objects.create(_node_port(name, port))
            self._ports[name] = made["spec"]["ports"][0]["nodePort"]

    def close(self) -> None:
        """Take the ports away."""
        for name in PORTS:
            self._objects.delete("Service", f"e2e-{name}", BACKENDS)

    @contextmanager
    def database(self, url: str, **instead: Any) -> Iterator[psycopg.Connection[Any]]:
        """A connection as a tenant's DATABASE_URL says, but from here; `instead` replaces parts of it."""
        here = {**conninfo_to_dict(url), "host": self._address, "port": self._ports["postgres"], "connect_timeout": 5}
        with psycopg.connect(**{**here, **instead}, autocommit=True) as connection:
            yield connection

    def rows(self, statement: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What the superuser sees."""
        with self.database(self.secret("imghost-database", "url"), dbname=database) as connection:
            return connection.execute(statement, values).fetchall()

    def store(self, access_key: str, secret_key: str) -> Minio:
        """The store for the owner of a key."""
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=3, read=10), retries=False)
        return Minio(self._endpoint, access_key, secret_key, secure=False, region="us-east-1", http_client=pool)

    def whole_store(self) -> Minio:
        """The store for its administrator."""
        return self.store(*self._administrator())

    def store_keys(self) -> tuple[str, str]:
        """All users and all policies of the store, as JSON by name."""
        provider = StaticProvider(*self._administrator())
        admin = MinioAdmin(endpoint=self._endpoint, credentials=provider, region="us-east-1", secure=False)
        return admin.user_list(), admin.policy_list()

    def secret(self, name: str, key: str, namespace: str = NAMESPACE) -> str:
        """A value of a Secret."""
        return values(self._objects.get("Secret", name, namespace))[key]

    @property
    def _endpoint(self) -> str:
        return f"{self._address}:{self._ports['minio']}"

    def _administrator(self) -> tuple[str, str]:
        found = values(self._objects.get("Secret", "imghost-store", NAMESPACE))
        return found["access-key"], found["secret-key"]


def values(secret: Object) -> dict[str, str]:
    """What a Secret holds."""
    return {key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()}


def _node_port(name: str, port: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"e2e-{name}", "namespace": BACKENDS},
        "spec": {"type": "NodePort", "selector": {"app": name}, "ports": [{"name": "server", "port": port}]},
    }
