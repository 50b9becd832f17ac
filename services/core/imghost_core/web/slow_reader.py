"""Whether a client takes what is sent to it, by what its side of the connection acknowledges."""

import asyncio
import socket
from typing import Final

from imghost_core.web.pace import Pace, Patience

_ACKNOWLEDGED: Final = slice(120, 128)  # tcpi_bytes_acked of struct tcp_info (linux/tcp.h)


class Reader:
    """A client that does not take a response as fast as it is sent, from `now` on."""

    def __init__(self, transport: asyncio.Transport, pace: Pace, now: float) -> None:
        self._socket, self._patience = transport.get_extra_info("socket"), Patience(pace)
        self._looked, self._taken = now, self._count_taken()

    def is_too_slow(self, now: float) -> bool:
        """Whether its pace since the last call has used up the patience with it."""
        taken = self._count_taken()
        self._patience.spend(now - self._looked)
        self._patience.restore(taken - self._taken)
        self._looked, self._taken = now, taken
        return self._patience.left < 0

    def _count_taken(self) -> int:
        state: bytes = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.stop)
        return int.from_bytes(state[_ACKNOWLEDGED], "little")
