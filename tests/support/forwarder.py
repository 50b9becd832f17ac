"""A TCP forwarder that can cut, refuse or hold what passes through it: a network that fails on demand."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Self

from imghost_dev.certificates import Pair
from support.processes import HOST, free_port


class Forwarder:
    """Forwards connections to a port of this machine. Use it as an async context manager."""

    def __init__(self, target: int) -> None:
        self._target, self.port = target, free_port()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.held = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def up(self) -> None:
        """Accept connections, at the same port as before."""
        self._server = await asyncio.start_server(self._accept, HOST, self.port)

    async def down(self) -> None:
        """Refuse connections and cut those there are."""
        self._flowing.set()
        if self._server:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        # Also one that is just being connected to the target: it would be open when the test is over.
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        if self._server:
            await self._server.wait_closed()
        self._server = None

    def hold(self) -> None:
        """Pass nothing on from now; `held` is set when something waits."""
        self._flowing.clear()
        self.held.clear()

    def release(self) -> None:
        """Pass on what waited."""
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection
        self._connections.add(connection)
        try:
            async with self._closing(writer):
                await self._serve(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # cut: by one of the two ends, or by `down`
        finally:
            self._connections.discard(connection)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
        async with self._closing(far_writer):
            await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    @contextlib.asynccontextmanager
    async def _closing(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._open.add(writer)
        try:
            yield
        finally:
            self._open.discard(writer)
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if not self._flowing.is_set():
                    self.held.set()
                    await self._flowing.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


class PostgresTls(Forwarder):
    """Forwards to a PostgreSQL without TLS, and serves TLS before it as PostgreSQL itself does; counts its sessions."""

    def __init__(self, target: int, pair: Pair) -> None:
        super().__init__(target)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(pair.certificate, pair.key)
        self.sessions = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # an SSLRequest
        writer.write(b"S")
        await writer.start_tls(self._tls)
        self.sessions += 1
        await super()._serve(reader, writer)
