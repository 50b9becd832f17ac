"""Refuses what an address asks for while too much of what it asked for before waits to be read by it."""

from collections.abc import Callable
from typing import Final

from starlette.types import Scope

from imghost_core.errors import TooManyRequests

_EXTENSION: Final = "imghost.unread"
_RETRY_SECONDS: Final = 5


class UnreadResponses(TooManyRequests):
    """The clients of an address do not read the responses that they asked for."""

    code, title = "unread_responses", "Too many unread responses"
    advice = "Read responses as they arrive, or use fewer connections at a time."

    def __init__(self) -> None:
        super().__init__(
            "Too much of what your network address asked for waits to be read. Read it before you ask for more.",
            retry_after=_RETRY_SECONDS,
        )


def offer(scope: Scope, has_too_much: Callable[[], bool]) -> None:
    """Let the application of a request know whether too much waits for the address that it came from."""
    scope["extensions"] = {**scope.get("extensions", {}), _EXTENSION: has_too_much}


def require_readers(scope: Scope) -> None:
    """Raise `UnreadResponses` when too much waits for the address of this request already.

    Without this check the connections with the most unread would be closed, and open again to ask for more.
    """
    has_too_much: Callable[[], bool] | None = scope.get("extensions", {}).get(_EXTENSION)
    if has_too_much is not None and has_too_much():
        raise UnreadResponses
