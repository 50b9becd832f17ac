"""Room for the bodies of uploads: how many arrive at a time, of whom, and how many bytes they have on disk."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from imghost_core.contract.errors import Overloaded

_RETRY_SECONDS = 2


class SpoolLimits(NamedTuple):
    """Bodies that arrive at a time: in all, of one workspace, from one address; and bytes on disk."""

    bodies: int
    per_workspace: int
    per_address: int
    size: int


class Sender(NamedTuple):
    """Whose body it is. `address` is the client's, as limits count it."""

    workspace: str
    address: str


class SpoolSpace:
    """Admits bodies, and counts the bytes of each until its upload has ended; rejects without waiting."""

    def __init__(self, limits: SpoolLimits) -> None:
        self._limits, self._free = limits, limits.size
        self._workspaces: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()

    def check(self, address: str) -> None:
        """Raise what a body from this address would be rejected with now, from any workspace."""
        if self._addresses.total() >= self._limits.bodies or self._free <= 0:
            raise Overloaded("Too many uploads are arriving. Retry in a moment.", retry_after=_RETRY_SECONDS)
        if self._addresses[address] >= self._limits.per_address:
            raise Overloaded(
                f"More than {self._limits.per_address} uploads are arriving from your network address. "
                "Upload fewer at a time.",
                retry_after=_RETRY_SECONDS,
            )

    @contextmanager
    def admit(self, sender: Sender) -> Iterator[None]:
        """Hold a place while a body arrives; raises `Overloaded` when none is free, or the sender has its share."""
        self.check(sender.address)
        if self._workspaces[sender.workspace] >= self._limits.per_workspace:
            raise Overloaded(
                f"More than {self._limits.per_workspace} uploads of this workspace are arriving. "
                "Upload fewer at a time.",
                retry_after=_RETRY_SECONDS,
            )
        self._workspaces[sender.workspace] += 1
        self._addresses[sender.address] += 1
        try:
            yield
        finally:
            self._workspaces.subtract([sender.workspace])
            self._addresses.subtract([sender.address])
            self._workspaces += Counter()  # drops those that have nothing left in here
            self._addresses += Counter()

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
