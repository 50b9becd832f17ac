"""What waits in memory until clients take it, of all connections of a listener. Pure."""

from collections import Counter
from typing import Generic, Protocol, TypeVar


class HasAddress(Protocol):
    """Something that belongs to an address."""

    @property
    def address(self) -> str:
        """The address, as limits count it."""


Owner = TypeVar("Owner", bound=HasAddress)


class Buffers(Generic[Owner]):
    """At most `budget` bytes; beyond that the oldest buffer of the address with the most is the one to give up."""

    def __init__(self, budget: int) -> None:
        self._budget, self._total = budget, 0
        self._sizes: dict[Owner, int] = {}

    def put(self, owner: Owner, size: int) -> None:
        """`size` bytes wait for `owner`."""
        self.drop(owner)
        self._sizes[owner] = size
        self._total += size

    def drop(self, owner: Owner) -> None:
        """Nothing waits for `owner` any more."""
        self._total -= self._sizes.pop(owner, 0)

    def find_excess(self) -> Owner | None:
        """Whose buffer has to go; None while all fit."""
        if self._total <= self._budget:
            return None
        held: Counter[str] = Counter()
        for owner, size in self._sizes.items():
            held[owner.address] += size
        ((heaviest, _),) = held.most_common(1)
        return next(owner for owner in self._sizes if owner.address == heaviest)
