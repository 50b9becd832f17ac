"""The two listeners of a process, with the connections that each may have."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import uvicorn

from imghost_core.settings import ServerSettings
from imghost_core.web.connections import Connections
from imghost_core.web.limits import Limits
from imghost_core.web.middleware import RequestEnvelope
from imghost_core.web.protocol import BoundedHttp

_BACKLOG: Final = 2048
_UNSENT_BYTES: Final = 128 * 1024
"""Of a connection in the kernel: it would take megabytes of a slow reader, which no limit of ours could count."""


class Listener(uvicorn.Server):
    """A server without signal handlers: the process handles signals for both listeners."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield


def public_limits(settings: ServerSettings, most: int) -> Limits:
    """Those of the public listener, of `most` connections."""
    return ops_limits(settings, most)._replace(per_address=min(settings.connections_per_address, most))


def ops_limits(settings: ServerSettings, most: int) -> Limits:
    """Those of the ops listener, whose clients are few and known: an address may have all of its connections."""
    return Limits(
        in_all=most,
        per_address=most,
        head_seconds=settings.head_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
        buffered_bytes=settings.response_buffer_bytes,
        pace=settings.pace,
    )


def listener(app: RequestEnvelope, settings: ServerSettings, name: str, limits: Limits, *, lifespan: str) -> Listener:
    """A listener; `lifespan` says whether the app's own is run."""
    connections = Connections(limits, app.metrics.connections, name, settings.trusted_proxies)
    protocol: Any = partial(BoundedHttp, connections=connections)
    return Listener(
        uvicorn.Config(
            app,
            lifespan=lifespan,  # type: ignore[arg-type]
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=settings.shutdown_grace_seconds,
            http=protocol,
            ws="none",
        )
    )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, whose options its connections inherit."""
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    opened.bind((host, port))
    opened.listen(_BACKLOG)
    opened.set_inheritable(True)
    return opened
