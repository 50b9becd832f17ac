"""How slow a peer may be, as a pure rule for bodies that arrive and for responses that are taken."""

from typing import NamedTuple


class Pace(NamedTuple):
    """At least `bytes_per_second` on average; a peer may pause for `grace_seconds`, and then has to make up for it."""

    bytes_per_second: int = 4096
    grace_seconds: float = 30.0


class Patience:
    """What is left of a peer's grace: waiting for it uses it up, bytes restore it, and it never exceeds the grace.

    So a fast beginning is no credit for a slow end.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.left = pace.grace_seconds

    def spend(self, seconds: float) -> None:
        """The peer was waited for."""
        self.left -= seconds

    def restore(self, size: int) -> None:
        """`size` bytes went through."""
        self.left = min(self._pace.grace_seconds, self.left + size / self._pace.bytes_per_second)
