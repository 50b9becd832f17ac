"""Refusals that are not sent immediately, so that a client which ignores them asks less often."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from imghost_core.contract.errors import Overloaded
from imghost_core.errors import TooManyRequests

_MOST: Final = 256  # refusals held at a time; each costs the memory of one request


class Tarpit:
    """Holds refusals for `seconds`, give or take half, so that clients do not return all together.

    What would be too many to hold is refused without delay.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._held = seconds, 0

    @asynccontextmanager
    async def slow_refusals(self) -> AsyncIterator[None]:
        """Delay the `TooManyRequests` and `Overloaded` that the block raises; it must hold no connection by then."""
        try:
            yield
        except (TooManyRequests, Overloaded):
            if self._held < _MOST:
                self._held += 1
                try:
                    await asyncio.sleep(self._seconds * random.uniform(0.5, 1.5))  # noqa: S311 - spread, not secrecy
                finally:
                    self._held -= 1
            raise
