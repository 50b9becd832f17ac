"""A limit on concurrent work that rejects instead of queueing."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from imghost_core.contract.errors import Overloaded

_RETRY_SECONDS = 2


class ConcurrencyLimit:
    """Admits up to `limit` uses at a time, `per_source` of one source; one more is rejected without waiting."""

    def __init__(self, limit: int, *, per_source: int, rejection: str) -> None:
        self._limit, self._per_source, self._rejection = limit, per_source, rejection
        self._held: Counter[object] = Counter()

    @contextmanager
    def acquire(self, source: object) -> Iterator[None]:
        """Hold one of the slots for `source`; raises `Overloaded` when none is free, or it has its share already."""
        if self._held[source] >= self._per_source or self._held.total() >= self._limit:
            raise Overloaded(self._rejection, retry_after=_RETRY_SECONDS)
        self._held[source] += 1
        try:
            yield
        finally:
            self._held[source] -= 1
            self._held += Counter()  # drops the sources that hold nothing
