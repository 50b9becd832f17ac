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
        self._held: Counter[str] = Counter()

    def put(self, owner: Owner, size: int) -> None:
        """`size` bytes wait for `owner`."""
        self.drop(owner)
        self._sizes[owner] = size
        self._count(owner, size)

    def drop(self, owner: Owner) -> None:
        """Nothing waits for `owner` any more."""
        if size := self._sizes.pop(owner, 0):
            self._count(owner, -size)

    def has_share(self, address: str) -> bool:
        """Whether half of the budget waits for this address."""
        return self._held[address] * 2 > self._budget

    def find_excess(self) -> Owner | None:
        """Whose buffer has to go; None while all fit."""
        if self._total <= self._budget:
            return None
        ((heaviest, _),) = self._held.most_common(1)
        return next(owner for owner in self._sizes if owner.address == heaviest)

    def _count(self, owner: Owner, size: int) -> None:
        self._total += size
        self._held[owner.address] += size
        if not self._held[owner.address]:
            del self._held[owner.address]
