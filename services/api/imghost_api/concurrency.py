"""A limit on concurrent work that rejects instead of queueing."""

from collections.abc import Iterator
from contextlib import contextmanager

from imghost_core.contract.errors import Overloaded

_RETRY_SECONDS = 2


class ConcurrencyLimit:
    """Admits up to `limit` uses at a time; one more is rejected immediately, without waiting in a queue."""

    def __init__(self, limit: int, *, rejection: str) -> None:
        self._free, self._rejection = limit, rejection

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Hold one of the slots; raises `Overloaded` when none is free."""
        if self._free == 0:
            raise Overloaded(self._rejection, retry_after=_RETRY_SECONDS)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
