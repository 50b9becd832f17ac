"""The fence around the tests' network."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from support.network import Guard, OutsideNetwork

OUTSIDE = "192.0.2.1"  # TEST-NET-1 of RFC 5737: no host has it


def _connect() -> None:
    with socket.socket() as client:
        client.connect((OUTSIDE, 80))


def _connect_ex() -> None:
    with socket.socket(socket.AF_INET6) as client:
        client.connect_ex(("2001:db8::1", 80))


def _datagram() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"", (OUTSIDE, 53))


def _asynchronous() -> None:
    asyncio.run(asyncio.open_connection(OUTSIDE, 80))


def _look_up() -> None:
    socket.getaddrinfo("registry.example", 443)


@pytest.mark.parametrize("attempt", [_connect, _connect_ex, _datagram, _asynchronous, _look_up])
def test_connections_to_other_machines_are_refused(attempt: Callable[[], None], network: Guard) -> None:
    """Connections, datagrams and look-ups of others are refused and remembered against the test."""
    with pytest.raises(OutsideNetwork):
        attempt()
    assert len(network.refused()) == 1


@pytest.mark.services
async def test_this_machine_can_be_reached() -> None:
    """Servers that tests start on 127.0.0.1 are reachable by number and by the name localhost."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            reader, writer = await asyncio.open_connection(host, port)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_unit_test_reaches_not_even_this_machine(host: str, network: Guard) -> None:
    """Without the mark `services` a test cannot come to depend on something that listens here."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client, pytest.raises(OutsideNetwork):
        client.connect((host, 9))
    assert len(network.refused()) == 1
