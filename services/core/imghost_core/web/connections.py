"""The connections of one listener: how many there may be, which of them gives way, and which have had their time."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from itertools import islice
from typing import Final, Protocol

from imghost_core.metrics import ConnectionMetrics
from imghost_core.web.addresses import read_address
from imghost_core.web.buffers import Buffers
from imghost_core.web.limits import Cause, Limits

_TURNED_AWAY_AT_MOST: Final = 64  # that get a response and not just a reset: each has a file descriptor


class Connection(Protocol):
    """What this module needs of a connection."""

    @property
    def address(self) -> str:
        """The peer's address, as limits count it."""

    @property
    def is_proxy(self) -> bool:
        """Whether it stands for many clients, and so has no share."""

    def find_overdue(self, now: float) -> Cause | None:
        """Why the time of this connection is up, if it is."""

    def end(self, cause: Cause) -> None:
        """Close it."""


class Connections:
    """Admits, counts and ends connections; one timer looks at all of them.

    `proxies` are the addresses and networks whose connections stand for many clients.
    """

    def __init__(self, limits: Limits, metrics: ConnectionMetrics, listener: str, proxies: Sequence[str] = ()) -> None:
        self.limits, self._metrics, self._listener = limits, metrics, listener
        self._proxies = [ip_network(proxy) for proxy in proxies]
        self._open: dict[Connection, None] = {}
        self._waiting: dict[Connection, None] = {}  # without a request in progress; the longest first
        self._turned_away: dict[Connection, None] = {}
        self._per_address: Counter[str] = Counter()
        self._buffers: Buffers[Connection] = Buffers(limits.buffered_bytes)
        self._discarded = 0
        self._timer: asyncio.TimerHandle | None = None

    def is_proxy(self, host: str) -> bool:
        """Whether the peer at `host`, its whole address, is one of the proxies."""
        address = read_address(host)
        return address is not None and any(address in proxy for proxy in self._proxies)

    def admit(self, connection: Connection) -> Cause | None:
        """Count a new connection, or say why not. When there are too many, one without a request gives way."""
        address = connection.address
        has_its_share = self._per_address[address] >= self.limits.per_address and not connection.is_proxy
        if has_its_share and not self._make_room(address):
            return self.count(Cause.ADDRESS)
        if len(self._open) >= self.limits.in_all and not any(map(self._make_room, self._list_candidates())):
            return self.count(Cause.FULL)
        self._open[connection] = self._waiting[connection] = None
        self._per_address[address] += 1
        self._watch()
        return None

    def turn_away(self, connection: Connection) -> bool:
        """Whether a connection that was not admitted may stay until it has read why."""
        if len(self._turned_away) >= _TURNED_AWAY_AT_MOST:
            return False
        self._turned_away[connection] = None
        self._watch()
        return True

    def leave(self, connection: Connection) -> None:
        """The connection is closed, or will be."""
        self._turned_away.pop(connection, None)
        self._waiting.pop(connection, None)
        self._buffers.drop(connection)
        if connection in self._open:
            del self._open[connection]
            self._per_address[connection.address] -= 1
            if not self._per_address[connection.address]:
                del self._per_address[connection.address]
            self._metrics.open.labels(self._listener).set(len(self._open))

    def wait(self, connection: Connection) -> None:
        """The connection has no request in progress: it may give way."""
        if connection in self._open:
            self._waiting[connection] = None

    def work(self, connection: Connection) -> None:
        """The connection has a request in progress."""
        self._waiting.pop(connection, None)

    def buffer(self, connection: Connection, size: int) -> None:
        """`size` bytes wait for the client of this connection."""
        if connection in self._open:
            self._buffers.put(connection, size)
        while excess := self._buffers.find_excess():
            self._end(excess, Cause.BUFFERS)

    def has_unread(self, connection: Connection) -> bool:
        """Whether so much waits for the address of this connection that it should read before it asks for more."""
        return not connection.is_proxy and self._buffers.has_share(connection.address)

    def drained(self, connection: Connection) -> None:
        """The client has taken what waited for it."""
        self._buffers.drop(connection)

    def discard(self, size: int) -> bool:
        """Count what was read only to be discarded; whether that is too much for this second."""
        self._discarded += size
        return self._discarded > self.limits.discarded_bytes

    def count(self, cause: Cause) -> Cause:
        """Count a connection that is refused or ended."""
        self._metrics.ended.labels(self._listener, cause.value).inc()
        return cause

    def _list_candidates(self) -> Iterator[str]:
        """The address with the most connections, then that of the connection that has waited longest."""
        yield from (address for address, _ in self._per_address.most_common(1))
        yield from (connection.address for connection in islice(self._waiting, 1))

    def _make_room(self, address: str) -> bool:
        """End the connection of this address that has waited longest; False when none waits."""
        longest = next((each for each in self._waiting if each.address == address), None)
        if longest is not None:
            self._end(longest, Cause.GAVE_WAY)
        return longest is not None

    def _end(self, connection: Connection, cause: Cause) -> None:
        self.leave(connection)
        connection.end(self.count(cause))

    def _watch(self) -> None:
        self._metrics.open.labels(self._listener).set(len(self._open))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.limits.sweep_seconds, self._sweep)

    def _sweep(self) -> None:
        """End what is overdue, and look again as long as there are connections."""
        self._timer, self._discarded = None, 0
        now = asyncio.get_running_loop().time()
        for connection in [*self._open, *self._turned_away]:
            if cause := connection.find_overdue(now):
                self._end(connection, cause)
        if self._open or self._turned_away:
            self._watch()
