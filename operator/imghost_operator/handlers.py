"""The lifecycle of the process, by Kopf. All handlers are registered in one function, so that importing registers none.

Kopf takes over the signals, checks that the API server accepts our login, and stops the operator cleanly. It watches
nothing: tenants and their objects are followed by the same reflectors (ADR 0012).
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from imghost_core import logs
from imghost_operator.kubeconfig import Connection

_TOKEN_LIFE = timedelta(minutes=10)  # mounted tokens live an hour and are renewed long before

_log = logs.get("imghost.operator")


async def run(connection: Connection) -> None:
    """Run Kopf until SIGTERM."""
    await kopf.operator(registry=registry(connection), standalone=True, clusterwide=True)


def registry(connection: Connection) -> kopf.OperatorRegistry:
    """A registry with all handlers of the operator."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers, id="startup")
    async def startup(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)

    @kopf.on.login(registry=handlers, id="login")
    async def login(**_: Any) -> kopf.ConnectionInfo:
        credential = await asyncio.to_thread(connection.plugin.credential) if connection.plugin else None
        return kopf.ConnectionInfo(
            server=connection.server,
            ca_data=connection.ca,
            certificate_data=credential.certificate if credential else connection.certificate,
            private_key_data=credential.private_key if credential else connection.private_key,
            token=credential.token if credential else connection.bearer(),
            expiration=datetime.now(UTC) + _TOKEN_LIFE if connection.token_file or credential else None,
        )

    @kopf.on.cleanup(registry=handlers, id="cleanup")
    async def cleanup(**_: Any) -> None:
        _log.info("stopping")

    return handlers


def configure(settings: kopf.OperatorSettings) -> None:
    """Settings with which Kopf writes nothing, scans nothing and posts no events."""
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.peering.standalone = True
    settings.networking.request_timeout = 15
    settings.networking.connect_timeout = 10
