"""When this process should get requests.

Every replica shares the database. Would each leave the rotation the moment it is away, callers would find nobody at
all, where they now get a 503 that says when to come back. So a process that has worked before stays in for a while,
each for another while, and leaves only when the trouble lasts.
"""

import random
import time
from collections.abc import Awaitable, Callable

from imghost_core.errors import Unavailable

Check = Callable[[], Awaitable[None]]


class Readiness:
    """Ready once `check` has passed; unready again when it keeps failing for `grace` seconds, give or take half."""

    def __init__(self, check: Check, *, grace: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._check, self._clock = check, clock
        self._grace = grace * random.uniform(0.5, 1.5)  # noqa: S311 - spread, not secrecy
        self._worked_at: float | None = None

    async def __call__(self) -> None:
        """Raise `Unavailable` when this process should get no requests."""
        try:
            await self._check()
        except Unavailable:
            if self._worked_at is None or self._clock() - self._worked_at > self._grace:
                raise
        else:
            self._worked_at = self._clock()
