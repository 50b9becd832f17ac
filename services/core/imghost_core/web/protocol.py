"""HTTP/1.1 on one connection, with bounds on what a client may send without completing anything."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 20.0
HEAD_BYTES: Final = 192 * 1024  # with the request line, and above the limit that gets a problem document
_LINGER_SECONDS: Final = 2.0
_LINGER_BYTES: Final = 4 * 1024 * 1024
_TEXT: Final = b"The head of the request is too large. Send fewer or shorter headers."
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_TEXT), _TEXT)
)


class BoundedHttp(HttpToolsProtocol):
    """Uvicorn's protocol; a head, or the trailers, of more than `HEAD_BYTES` get a 431 and end the connection.

    A head that is not complete `HEAD_SECONDS` after it began, or after the client connected, ends it silently.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._incomplete = self._discarded = 0
        self._refused = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and count what completes nothing: neither a head nor a piece of a body."""
        if self._refused:
            self._discard(len(data))
            return
        self._incomplete += len(data)
        super().data_received(data)
        if self._incomplete > HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_message_begin(self) -> None:
        """A head begins."""
        if self._deadline is None:
            self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._incomplete = 0
        self._end_wait()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body has arrived."""
        self._incomplete = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._incomplete = 0
        super().on_message_complete()

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end_wait(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self) -> None:
        """Respond, and discard what is still on its way: closing now would reset the connection under the response."""
        self._refused = True
        self.transport.write(_TOO_LARGE)
        self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > _LINGER_BYTES:
            self.transport.abort()
