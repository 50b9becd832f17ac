"""What a client may send on one connection without completing anything, and the responses to what is too much."""

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from imghost_core.errors import HttpError
from imghost_core.web import raw_response
from imghost_core.web.connections import Connections
from imghost_core.web.limits import CHUNK_FRAMING, DISCARDED_BYTES, FRAMING_BYTES, HEAD_BYTES, PIPELINED, Cause
from imghost_core.web.request_head import MAX_HEADERS, HeadersTooLarge


class _Enough(Exception):
    """Stops the parser in the middle of what was received: all of it would cost time for nothing."""


class BoundedParser(HttpToolsProtocol):
    """Uvicorn's protocol with bounds on heads, on what is around the data of bodies, and on pipelined requests."""

    def __init__(self, *arguments: Any, connections: Connections, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.all = connections
        self.in_body = False
        self.head_since: float | None = None
        self.since = self.loop.time()  # when the connection last changed what it waits for
        self.is_deaf = False  # nothing more is parsed: the client was refused, or will be after what it asked before
        self._unfinished = self._framing = self._discarded = 0

    @property
    def is_busy(self) -> bool:
        """Whether an application has a response to make."""
        cycle: RequestResponseCycle | None = self.cycle
        return bool(self.pipeline) or (cycle is not None and not cycle.response_complete)

    def data_received(self, data: bytes) -> None:
        """Parse, and count what is neither a complete head nor data of a body."""
        if self.is_deaf:
            self._slow_down(len(data))
            return
        if self.in_body and not self.is_busy:  # the rest of a body whose response was sent before its end
            self._slow_down(len(data))
        self._unfinished += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # to no protocol that we have: the request is served as if it had not asked
        except httptools.HttpParserError:
            self._refuse(Cause.INVALID, raw_response.InvalidHttp())
        if self._unfinished > HEAD_BYTES and not self.transport.is_closing():
            self._refuse_unfinished()

    def on_message_begin(self) -> None:
        """A head begins."""
        if self.head_since is None:
            self.head_since = self.loop.time()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. Trailers are not kept, since nothing here may depend on them."""
        if self.in_body:
            return
        if len(self.headers) >= MAX_HEADERS:
            self._refuse(Cause.HEAD_TOO_LARGE, HeadersTooLarge())
            raise _Enough
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete. If too many wait for a response already, this one gets none."""
        if len(self.pipeline) >= PIPELINED:
            self._finish(Cause.PIPELINE)
            raise _Enough
        super().on_headers_complete()
        self._unfinished, self._framing, self.head_since, self.in_body = 0, 0, None, True
        self.all.work(self)  # type: ignore[arg-type]

    def on_body(self, body: bytes) -> None:
        """Data of the body. Every byte makes up for itself and for one around it."""
        self._unfinished = max(0, self._unfinished - 2 * len(body))
        self._framing = max(0, self._framing + CHUNK_FRAMING - len(body))
        if self._framing > FRAMING_BYTES:
            self._refuse(Cause.FRAMING, raw_response.TooMuchFraming())
            raise _Enough
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._unfinished, self.in_body, self.since = 0, False, self.loop.time()
        super().on_message_complete()

    def say(self, error: HttpError) -> None:
        """Respond, and discard what is still on its way: closing now would reset the connection under the response."""
        self.is_deaf, self.since = True, self.loop.time()
        self.transport.write(raw_response.build(error))
        self.transport.write_eof()

    def _refuse_unfinished(self) -> None:
        if self.head_since is None:
            self._refuse(Cause.FRAMING, raw_response.TooMuchFraming())
        else:
            self._refuse(Cause.HEAD_TOO_LARGE, HeadersTooLarge())

    def _refuse(self, cause: Cause, error: HttpError) -> None:
        """Respond in place of an application, unless one has to respond, or has begun to."""
        if self.is_deaf:
            return
        if self.is_busy and not self.in_body:
            self._finish(cause)
            return
        self.all.count(cause)
        if not self.is_busy:
            self.say(error)
        elif self.pipeline or self.cycle.response_started:
            self.is_deaf = True
            self.transport.abort()
        else:  # the application waits for the rest of the body
            self.cycle.disconnected = self.cycle.response_complete = True
            self.cycle.message_event.set()
            self.say(error)

    def _finish(self, cause: Cause) -> None:
        """Read no more, and close after the responses to what was asked before."""
        self.is_deaf = True
        self.cycle.keep_alive = False
        self.all.count(cause)

    def speed_up(self) -> None:
        """Read on, unless an application decides that, or nothing more is parsed; called once a second.

        A body may have ended since reading was paused, and then it is the next request that waits to be read.
        """
        self._discarded = 0
        if not (self.is_busy or self.is_deaf or self.transport.is_closing()):
            self.flow.resume_reading()

    def _slow_down(self, size: int) -> None:
        """Read only so much in each second of what is only discarded. One client alone is not slowed in its body."""
        self._discarded += size
        is_too_much = self.all.discard(size) or self.is_deaf
        if is_too_much and self._discarded > DISCARDED_BYTES:
            self.flow.pause_reading()
