"""When this process is ready for requests.

Every replica shares the database. If every replica became unready in a database outage, clients would see connection
errors instead of a 503 with `Retry-After`. So a process that was ready stays ready for a grace period, each replica
for a different one, and becomes unready only when the outage lasts.
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
        self._passed_at: float | None = None

    async def __call__(self) -> None:
        """Raise `Unavailable` when this process should receive no requests."""
        try:
            await self._check()
        except Unavailable:
            if self._passed_at is None or self._clock() - self._passed_at > self._grace:
                raise
        else:
            self._passed_at = self._clock()
