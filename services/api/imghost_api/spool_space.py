"""Room for the bodies of uploads: how many arrive at a time, of whom, and how many bytes they have on disk."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from imghost_core.contract.errors import Overloaded

_RETRY_SECONDS: Final = 2
_SHARES: Final = 4  # 4 workspaces or addresses can fill the disk together, fewer cannot


class SpoolLimits(NamedTuple):
    """Uploads under way, in all and from one address; bodies of one workspace that arrive; bytes on disk."""

    uploads: int
    per_address: int
    arriving_per_workspace: int
    size: int


class Source(NamedTuple):
    """Who sends a body."""

    workspace: str
    address: str


class SpoolSpace:
    """Admits uploads and their bodies, and counts the bytes of each until it has ended; rejects without waiting."""

    def __init__(self, limits: SpoolLimits) -> None:
        self._limits, self._uploads = limits, 0
        self._addresses: Counter[str] = Counter()
        self._arriving: Counter[str] = Counter()
        self._held, self._shares = 0, (Counter[str](), Counter[str]())  # of workspaces, of addresses

    @contextmanager
    def admit(self, address: str) -> Iterator[None]:
        """Hold one of the places of `address`; raises `Overloaded`, also when there is no place in all.

        It takes none of those: who has no valid credential would keep the others out.
        """
        self._require_place()
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
    def hold(self, source: Source) -> Iterator["HeldBytes"]:
        """Hold one of the places in all for an upload, and count its bytes on disk; raises `Overloaded`."""
        self._require_place()
        self._uploads += 1
        held = HeldBytes(self, source)
        try:
            yield held
        finally:
            self._uploads -= 1
            self._count(source, -held.size)

    def take(self, source: Source, size: int) -> None:
        """Use `size` bytes; raises `Overloaded` when they do not fit, or exceed the share of `source`."""
        if self._held + size > self._limits.size:
            raise Overloaded("No disk space is left for uploads. Retry in a moment.", retry_after=_RETRY_SECONDS)
        share = self._limits.size // _SHARES
        for counts, name, kind in zip(self._shares, source, ("of this workspace", "from your address"), strict=True):
            if counts[name] + size > share:
                raise Overloaded(
                    f"Uploads {kind} would take more than their share of disk space, {share} bytes together. "
                    "Retry when one of them has ended.",
                    retry_after=_RETRY_SECONDS,
                )
        self._count(source, size)

    def _require_place(self) -> None:
        if self._uploads >= self._limits.uploads or self._held >= self._limits.size:
            raise Overloaded("Too many uploads are under way. Retry in a moment.", retry_after=_RETRY_SECONDS)

    def _count(self, source: Source, size: int) -> None:
        self._held += size
        for counts, name in zip(self._shares, source, strict=True):
            counts[name] += size
            if not counts[name]:
                del counts[name]


class HeldBytes:
    """The bytes of one upload."""

    def __init__(self, space: SpoolSpace, source: Source) -> None:
        self._space, self._source, self.size = space, source, 0

    def grow(self, size: int) -> None:
        """Take `size` more; raises `Overloaded`."""
        self._space.take(self._source, size)
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
