"""Loopback addresses: one for each pod, so that all can listen on the ports their manifests say. Linux only."""

import hashlib
import socket
from contextlib import suppress
from pathlib import Path

from imghost_local.errors import UserError

_FIRST, _COUNT = 64 * 256, 128 * 256  # 127.64.0.0/24 to 127.191.255.0/24: away from 127.0.0.x, which others use


class Addresses:
    """The addresses of one 127.x.y.0/24, claimed from every other `up` on this machine.

    The claim is a socket in the kernel's abstract namespace: it takes no port and ends with this process. Which net is
    tried first follows from `folder`, so that a second start gets the same addresses where it can.
    """

    def __init__(self, folder: Path) -> None:
        start = int.from_bytes(hashlib.sha256(bytes(folder.absolute())).digest()[:4])
        self._taken: set[str] = set()
        for attempt in range(_COUNT):
            number = _FIRST + (start + attempt) % _COUNT
            self._net = f"127.{number >> 8}.{number & 255}"
            self._claim = socket.socket(socket.AF_UNIX)
            with suppress(OSError):
                self._claim.bind(f"\0imghost/{self._net}")
                return
            self._claim.close()
        raise UserError("No free network in 127.0.0.0/8 is left for the addresses of pods.")

    def take(self) -> str:
        """An unused address."""
        for host in range(1, 255):
            address = f"{self._net}.{host}"
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise UserError("All 254 addresses for pods are taken. Ask for fewer replicas.")

    def release(self, address: str) -> None:
        """Release an address."""
        self._taken.discard(address)

    def close(self) -> None:
        """Release the network."""
        self._claim.close()


def bindable(address: str, port: int) -> bool:
    """Whether a server could listen there now; not so when a program listens on this port of *all* addresses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def open_listener(port: int) -> socket.socket | None:
    """A socket that listens on this port of 127.0.0.1 (0: any free one), or None when the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError:
        listener.close()
        return None
    listener.setblocking(False)
    return listener
