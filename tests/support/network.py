"""The tests' network ends at this machine."""

import ipaddress
import socket
import sys
from typing import Any


class OutsideNetwork(Exception):
    """Test code tried to reach something that is not on this machine."""


class Guard:
    """Refuses connections, datagrams and name look-ups that a test may not make, in this process.

    A test marked `services` may reach addresses of 127.0.0.0/8 and ::1, whether a service listens there or the test
    itself; other tests may not even do that, and all may use UNIX sockets. Everything else raises OutsideNetwork, and
    fails the test also when the code under test swallows that error. It uses Python's audit events, so it sees what
    passes through the `socket` module (asyncio, aiohttp, httpx, urllib3 and the MinIO client). Not seen are connections
    of C and Rust libraries (libpq, libuv by numeric address; obstore) and those of child processes.
    """

    def __init__(self) -> None:
        self.enabled = False
        self.loopback = False
        self.allowed: set[str] = set()  # addresses of a node that the tests started, in its own network namespace
        self._refused: list[str] = []
        sys.addaudithook(self._hook)

    def refused(self) -> list[str]:
        """What was refused since the last call."""
        refused, self._refused = self._refused, []
        return refused

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.enabled or not event.startswith("socket."):
            return
        if event in {"socket.connect", "socket.sendto"}:
            self._check_address(*arguments)
        elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
            self._check_name(arguments[0])

    def _check_address(self, sock: socket.socket, address: Any) -> None:
        if sock.family in {socket.AF_INET, socket.AF_INET6} and not self._may_reach(address[0]):
            self._refuse(f"a connection to {address[0]} port {address[1]}")

    def _may_reach(self, host: str) -> bool:
        return (self.loopback and _is_loopback(host)) or host in self.allowed

    def _check_name(self, host: str | bytes | None) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if name and name != "localhost" and not _is_number(name):
            self._refuse(f"a look-up of {name}")

    def _refuse(self, what: str) -> None:
        self._refused.append(what)
        reach = "this machine only" if self.loopback else "nothing unless it is marked `services`"
        raise OutsideNetwork(f"this test may reach {reach}, not {what}; use a service's fixture or a closed port")


def _is_loopback(host: str) -> bool:
    if host in {"localhost", "0.0.0.0", "::"}:  # the unspecified address connects to this machine
        return True
    return _is_number(host) and ipaddress.ip_address(host.partition("%")[0]).is_loopback


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
