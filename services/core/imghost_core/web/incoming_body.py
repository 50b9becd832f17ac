"""The body of a request as it is received: an application does not wait for one that arrives too slowly."""

import asyncio

from starlette.types import Message, Receive

from imghost_core.errors import HttpError
from imghost_core.web.pace import Pace, Patience


class BodyTooSlow(HttpError):
    """The body arrived too slowly."""

    status, code, title = 408, "body_too_slow", "Body too slow"
    advice = "Send the request again over a faster connection, or with a smaller body."

    def __init__(self, pace: Pace) -> None:
        super().__init__(
            f"The body arrived with less than {pace.bytes_per_second} bytes per second for {pace.grace_seconds:g} s. "
            "Send the request again over a faster connection.",
            headers={"Connection": "close"},
        )


class IncomingBody:
    """The `receive` callable: raises `BodyTooSlow` when the body, not the application, is too slow.

    `is_asked_for` says whether the application has asked for the body.
    """

    def __init__(self, receive: Receive, pace: Pace) -> None:
        self._receive, self._pace, self._patience = receive, pace, Patience(pace)
        self.is_asked_for = self._is_complete = False

    async def __call__(self) -> Message:
        """The next piece of the body; after the last one, wait for the client to hang up."""
        self.is_asked_for = True
        if self._is_complete:
            return await self._receive()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._patience.left):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyTooSlow(self._pace) from error
        self._patience.spend(loop.time() - began)
        self._patience.restore(len(message.get("body", b"")))
        self._is_complete = not message.get("more_body", False)
        return message
