"""A TCP proxy between the node's ports and tenants.

In front of a real cluster stands a gateway or ingress controller; a tenant names its namespace in
`spec.network.ingressFrom`. This one runs in a pod by `python3 gateway.py PORT=HOST:PORT ...`, with nothing but Python.
"""

import asyncio
import contextlib
import signal
import sys
from functools import partial

CHUNK = 1 << 16
CONNECT_SECONDS = 2.0
CONNECTS_AGAIN = 2


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy a stream until its end, with back pressure."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


async def connect(
    host: str, port: int, again: int = CONNECTS_AGAIN
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the target; raises OSError.

    After a kill of all pods, while kube-proxy writes its rules again, an attempt may hang for longer than 30 s where a
    new one gets through immediately. Probably its first packet passed between two rules, and its repetitions follow it.
    """
    try:
        return await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_SECONDS)
    except TimeoutError:
        if not again:
            raise
        return await connect(host, port, again - 1)


async def serve(host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connect a client to the target; when the target is unreachable, close the connection."""
    try:
        to_target = await connect(host, port)
    except OSError as error:
        sys.stderr.write(f"{host}:{port}: {error}\n")
    else:
        await asyncio.gather(copy(reader, to_target[1]), copy(to_target[0], writer))
        to_target[1].close()
    writer.close()


async def main() -> None:
    """Listen for every route until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    for route in sys.argv[1:]:
        port, _, target = route.partition("=")
        host, _, target_port = target.rpartition(":")
        await asyncio.start_server(partial(serve, host, int(target_port)), "0.0.0.0", int(port))
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
