"""HTTP/1.1 on one connection: admitted, watched and ended together with all others of its listener."""

import asyncio
from typing import Any, Final

from imghost_core.web import unread
from imghost_core.web.addresses import count_as
from imghost_core.web.bounded_parser import BoundedParser
from imghost_core.web.connections import Connections
from imghost_core.web.limits import TURN_AWAY_SECONDS, Cause
from imghost_core.web.raw_response import TooManyConnections
from imghost_core.web.slow_reader import Reader

_WITHOUT_FLUSH: Final = {Cause.SLOW_READER, Cause.BUFFERS, Cause.SLOW_BODY, Cause.REFUSED}


class BoundedHttp(BoundedParser):
    """A connection that ends when its client is too slow, silent for too long, or one of too many."""

    def __init__(self, *arguments: Any, connections: Connections, **options: Any) -> None:
        super().__init__(*arguments, connections=connections, **options)
        self.address, self.is_proxy = "", False
        self._reader: Reader | None = None
        self._next_is_due = False  # the first request in `pipeline` waits for the client only

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first head, unless there are too many connections."""
        super().connection_made(transport)
        self.head_since = self.loop.time()
        host = self.client[0] if self.client else ""
        self.is_proxy = self.all.is_proxy(host)
        self.address = host if self.is_proxy else count_as(host)  # its network may have clients too
        if self.all.admit(self):
            self.is_deaf = True
            if self.all.turn_away(self):
                self.say(TooManyConnections())
            else:
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no longer."""
        self.all.leave(self)
        super().connection_lost(exc)
        self.scope: Any = None  # it refers to this connection

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        unread.offer(self.scope, lambda: self.all.has_unread(self))

    def on_response_complete(self) -> None:
        """A response is complete; without another request, and once the client has taken it, the connection waits."""
        self._drop_unanswered()
        super().on_response_complete()
        self._unset_keepalive_if_required()  # uvicorn's own time-out forgets connections whose bodies go on
        self._wait()

    def pause_writing(self) -> None:
        """The client does not take a response as fast as it is sent."""
        super().pause_writing()
        self._reader = Reader(self.transport, self.all.limits.pace, self.loop.time())
        self.all.buffer(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        self._reader = None
        self.all.drained(self)
        self._drop_unanswered()
        if self.pipeline and self._next_is_due:
            self._next_is_due = False
            self._start_asgi_task(*self.pipeline.pop())
        self._wait()

    def find_overdue(self, now: float) -> Cause | None:
        """Why the time of this connection is up, if it is."""
        self.speed_up()
        if self._reader:
            return Cause.SLOW_READER if self._reader.is_too_slow(now) else None
        if self.is_busy:
            return None  # applications have time limits of their own, and one for the body: see `middleware`
        cause, begun, seconds = self._find_wait()
        return cause if now - begun > seconds else None

    def end(self, cause: Cause) -> None:
        """Close the connection; what a client has not taken in time is not waited for."""
        if cause in _WITHOUT_FLUSH or self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Begin a request, when the client has taken the response before: it would be a second one in memory."""
        if self._reader is None:
            super()._start_asgi_task(cycle, app)
            return
        self.flow.pause_reading()
        self.pipeline.append((cycle, app))
        self._next_is_due = True

    def _drop_unanswered(self) -> None:
        """Drop the requests of a connection that closes after its response: none of them begins any more."""
        if self.pipeline and self.transport.is_closing():
            self.pipeline.clear()
            self.cycle.response_complete = True

    def _wait(self) -> None:
        if not self.is_busy and self._reader is None:
            self.since = self.loop.time()
            self.all.wait(self)

    def _find_wait(self) -> tuple[Cause, float, float]:
        """What the connection waits for, since when, and for how long it may."""
        limits = self.all.limits
        if self.is_deaf:
            return Cause.REFUSED, self.since, TURN_AWAY_SECONDS
        if self.head_since is not None:
            return Cause.SLOW_HEAD, self.head_since, limits.head_seconds
        if self.in_body:  # the response was sent before its end
            return Cause.SLOW_BODY, self.since, limits.linger_seconds
        return Cause.IDLE, self.since, limits.keep_alive_seconds
