"""One handler behind our protocol and our envelope, on a port of its own, with limits that a test chooses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imghost_core.metrics import HttpMetrics
from imghost_core.web.connections import Connections
from imghost_core.web.limits import Limits
from imghost_core.web.listeners import Listener, bind
from imghost_core.web.middleware import RequestEnvelope
from imghost_core.web.problems import add_handlers
from imghost_core.web.protocol import BoundedHttp
from support.eventually import eventually

NAME = "public"


@dataclass(frozen=True)
class BoundedServer:
    """A running server."""

    port: int
    registry: CollectorRegistry
    connections: set[Any]
    """The protocol of each connection that is open."""

    def ended(self, cause: str) -> float:
        """How many connections it refused or ended because of `cause`."""
        labels = {"listener": NAME, "cause": cause}
        return self.registry.get_sample_value("imghost_connections_ended_total", labels) or 0

    @property
    def open(self) -> float:
        """How many connections it has."""
        return self.registry.get_sample_value("imghost_connections_open", {"listener": NAME}) or 0

    @property
    def active(self) -> float:
        """How many requests are in progress."""
        return self.registry.get_sample_value("http_server_active_requests") or 0

    @property
    def unread(self) -> int:
        """How many bytes wait in this process until clients take them."""
        return sum(each.transport.get_write_buffer_size() for each in self.connections)

    @property
    def pipelined(self) -> int:
        """How many requests wait for the responses before them."""
        return sum(len(each.pipeline) for each in self.connections)

    async def until_busy(self) -> None:
        """Wait until a request is in progress."""
        await eventually(lambda: self.active > 0, why="a request is in progress")


@contextlib.asynccontextmanager
async def serving(
    handle: Callable[[Request], Awaitable[Response]],
    limits: Limits = Limits(),
    proxies: Sequence[str] = (),
    host: str = "127.0.0.1",
) -> AsyncIterator[BoundedServer]:
    """Serve `handle` for GET and POST of `/`."""
    registry = CollectorRegistry()
    metrics = HttpMetrics(registry)
    app = Starlette(routes=[Route("/", handle, methods=["GET", "POST"])])
    add_handlers(app)
    protocol: Any = partial(
        BoundedHttp,
        connections=Connections(limits, metrics.connections, NAME, proxies),
    )
    front = RequestEnvelope(app, metrics, pace=limits.pace)
    server = Listener(uvicorn.Config(front, http=protocol, ws="none", lifespan="off", log_config=None))
    with bind(host, 0) as socket:
        running = asyncio.create_task(server.serve([socket]))
        await eventually(lambda: server.started, why="the server listens")
        try:
            yield BoundedServer(socket.getsockname()[1], registry, server.server_state.connections)
        finally:
            server.should_exit = server.force_exit = True
            await running
