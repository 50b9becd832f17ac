"""Services as loopback ports: each port of a Service is a listener on 127.0.0.1, balanced over the ready pods."""

import asyncio
import itertools
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from imghost_local.addresses import open_listener
from imghost_local.documents import Documents
from imghost_local.errors import UserError
from imghost_local.postgres import free_port
from imghost_operator.tenant_contract import PUBLIC_PORTS

_CHUNK = 256 * 1024
_PORTS = "ports.json"


class Port(NamedTuple):
    """A port of a Service, by names."""

    namespace: str
    service: str
    name: str


Endpoints = Callable[[Port], Sequence[tuple[str, int]]]
"""The targets of a port: address and port of each ready pod."""


class Services:
    """All listeners of one `up`. A port once given to a name is remembered in the state folder."""

    def __init__(self, documents: Documents, endpoints: Endpoints, *, asked: dict[str, int]) -> None:
        self._documents, self._endpoints, self._asked = documents, endpoints, asked
        self._remembered: dict[str, int] = documents.read(_PORTS)
        self._sockets: dict[Port, socket.socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = itertools.count()

    def url(self, port: Port, number: int) -> str:
        """The base URL of a port, whose listener is opened before another program can. `number` is the Service's."""
        if port not in self._sockets:
            self._sockets[port] = listener = self._open(port, number)
            self._start(self._accept(port, listener))
        return f"http://127.0.0.1:{self._sockets[port].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening and close open connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._sockets.values():
            listener.close()

    def _open(self, port: Port, number: int) -> socket.socket:
        name = "/".join(port)
        if asked := self._asked.get(port.name):
            listener = open_listener(asked)
            if listener is None:
                raise UserError(
                    f"Port {asked}, asked for as '{port.name}', is taken by another program. Choose another."
                )
        else:
            preferred = (self._remembered.get(name), number if port.name in PUBLIC_PORTS else None)
            opened = (open_listener(candidate) for candidate in (*preferred, free_port(), 0) if candidate is not None)
            listener = next(found for found in opened if found is not None)
        self._remembered[name] = listener.getsockname()[1]
        self._documents.write(_PORTS, dict(self._remembered))
        return listener

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, port: Port, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            client.setblocking(False)
            self._start(self._serve(port, client))

    async def _serve(self, port: Port, client: socket.socket) -> None:
        with client:
            server = await self._connect(port)
            if server is None:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # refuse: reset
                return
            with server:
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await asyncio.gather(_copy(client, server), _copy(server, client))

    async def _connect(self, port: Port) -> socket.socket | None:
        """A connection to one of the ready pods, in turn; the next one when it does not respond."""
        ready = self._endpoints(port)
        first = next(self._turn)
        for offset in range(len(ready)):
            server = socket.socket()
            server.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(server, ready[(first + offset) % len(ready)])
            except OSError:
                server.close()
                continue
            return server
        return None


async def _copy(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while data := await loop.sock_recv(source, _CHUNK):
            await loop.sock_sendall(target, data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
