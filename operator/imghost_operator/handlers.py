"""Kopf's part: every decorator, in one function, so that importing binds nothing.

Kopf watches the tenants and hands each event on; nothing is decided here. No create, update or delete handlers, no
timers, daemons or indexes: those act on edges, and write to the resource.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from imghost_core import logs
from imghost_operator import crd
from imghost_operator.kubeconfig import Connection
from imghost_operator.tenant_store import TenantStore

_TOKEN_LIFE = timedelta(minutes=10)  # mounted tokens live an hour and are renewed long before

_log = logs.get("imghost.operator")


def registry(connection: Connection, tenants: TenantStore) -> kopf.OperatorRegistry:
    """A registry with all handlers of the operator."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers, id="startup")
    async def startup(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)

    @kopf.on.login(registry=handlers, id="login")
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(
            server=connection.server,
            ca_data=connection.ca,
            certificate_data=connection.certificate,
            private_key_data=connection.private_key,
            token=connection.bearer(),
            expiration=datetime.now(UTC) + _TOKEN_LIFE if connection.token_file else None,
        )

    @kopf.on.event(crd.GROUP, crd.VERSION, crd.PLURAL, registry=handlers, id="tenant")
    async def tenant(type: str | None, body: Mapping[str, Any], **_: Any) -> None:  # noqa: A002 - Kopf's name
        if type == "DELETED":
            tenants.remove(body["metadata"]["name"], body["metadata"]["uid"])
        else:
            tenants.put(dict(body))

    @kopf.on.cleanup(registry=handlers, id="cleanup")
    async def cleanup(**_: Any) -> None:
        _log.info("no longer watching tenants")

    return handlers


def configure(settings: kopf.OperatorSettings) -> None:
    """Kopf as a plain watcher: no writes, no scanning, no events of its own, dead connections noticed."""
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.peering.standalone = True
    settings.watching.chunk_size = 250
    settings.watching.inactivity_timeout = 70
    settings.watching.server_timeout = 1800
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 15
    settings.networking.connect_timeout = 10
