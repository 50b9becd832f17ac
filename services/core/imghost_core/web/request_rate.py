"""A limit on requests per second, of each address and of all, in the memory of one process."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from imghost_core.errors import TooManyRequests

_BURST_SECONDS = 10.0
_PRECISION = 1e-6  # sums of fractions of a second are not exact
_ADDRESSES = 10_000  # remembered; a forgotten one starts with a whole burst again
_ALL = ""


class RequestRate:
    """Admits `per_address` requests per second from each address, and `in_all` from all of them.

    Either may be exceeded in a burst of as many as are admitted in ten seconds (the generic cell rate algorithm: for
    each address one number is kept, the time at which its burst will be available again).
    """

    def __init__(self, per_address: int, in_all: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_address, self._in_all, self._clock = per_address, in_all, clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def admit(self, address: str) -> None:
        """Count one request; raises `TooManyRequests`, and then it is not counted."""
        now = self._clock()
        own, common = self._next(address, self._per_address, now), self._next(_ALL, self._in_all, now)
        excess = max(own, common) - now - _BURST_SECONDS
        if excess > _PRECISION:
            raise TooManyRequests(
                "Too many requests from your network address, or from all of them. Retry shortly, and more slowly.",
                retry_after=math.ceil(excess),
            )
        self._full_at[address], self._full_at[_ALL] = own, common
        self._full_at.move_to_end(address)
        self._full_at.move_to_end(_ALL)
        if len(self._full_at) > _ADDRESSES:
            self._full_at.popitem(last=False)

    def _next(self, address: str, rate: int, now: float) -> float:
        return max(self._full_at.get(address, now), now) + 1 / rate
