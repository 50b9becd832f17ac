"""Bounded work with an immediate refusal."""

from collections.abc import Iterator
from contextlib import contextmanager

from imghost_core.errors import Unavailable

_RETRY_SECONDS = 2


class Slots:
    """At most so many at once; one more is told to come back, at once and not after waiting in line."""

    def __init__(self, number: int) -> None:
        self._free = number

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold a slot; raises `Unavailable` (`overloaded`) when none is free."""
        if self._free == 0:
            raise Unavailable(
                "Too many uploads are running here. Send this one again in a moment.",
                retry_after=_RETRY_SECONDS,
                code="overloaded",
            )
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
