"""Room for the bodies of uploads: how many arrive at a time, of whom, and how many bytes they have on disk."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from imghost_core.contract.errors import Overloaded

_RETRY_SECONDS = 2


class SpoolLimits(NamedTuple):
    """Uploads under way, in all and from one address; bodies of one workspace that arrive; bytes on disk."""

    uploads: int
    per_address: int
    arriving_per_workspace: int
    size: int


class SpoolSpace:
    """Admits uploads and their bodies, and counts the bytes of each until it has ended; rejects without waiting."""

    def __init__(self, limits: SpoolLimits) -> None:
        self._limits, self._free = limits, limits.size
        self._addresses: Counter[str] = Counter()
        self._arriving: Counter[str] = Counter()

    @contextmanager
    def admit(self, address: str) -> Iterator[None]:
        """Hold a place for an upload from `address`, of any workspace; raises `Overloaded`."""
        if self._addresses.total() >= self._limits.uploads or self._free <= 0:
            raise Overloaded("Too many uploads are under way. Retry in a moment.", retry_after=_RETRY_SECONDS)
        most = self._limits.per_address
        with _held(self._addresses, address, most, f"{most} uploads from your network address are under way."):
            yield

    @contextmanager
    def receive(self, workspace: str) -> Iterator[None]:
        """Hold a place while a body of `workspace` arrives; raises `Overloaded`."""
        most = self._limits.arriving_per_workspace
        with _held(self._arriving, workspace, most, f"{most} uploads of this workspace are arriving."):
            yield

    @contextmanager
    def hold(self) -> Iterator["HeldBytes"]:
        """Count bytes on disk, from the first one of a body to the end of its upload."""
        held = HeldBytes(self)
        try:
            yield held
        finally:
            self._free += held.size

    def take(self, size: int) -> None:
        """Use `size` bytes; raises `Overloaded` when they do not fit."""
        if size > self._free:
            raise Overloaded("No disk space is left for uploads. Retry in a moment.", retry_after=_RETRY_SECONDS)
        self._free -= size


class HeldBytes:
    """The bytes of one upload."""

    def __init__(self, space: SpoolSpace) -> None:
        self._space, self.size = space, 0

    def grow(self, size: int) -> None:
        """Take `size` more; raises `Overloaded`."""
        self._space.take(size)
        self.size += size


@contextmanager
def _held(counts: Counter[str], source: str, most: int, rejection: str) -> Iterator[None]:
    if counts[source] >= most:
        raise Overloaded(f"{rejection} Upload fewer at a time.", retry_after=_RETRY_SECONDS)
    counts[source] += 1
    try:
        yield
    finally:
        counts[source] -= 1
        if not counts[source]:
            del counts[source]
