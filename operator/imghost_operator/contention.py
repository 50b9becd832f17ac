"""Slows down writes of objects that something else keeps changing, so that a fight over a field costs little."""

from collections.abc import Callable
from dataclasses import dataclass

from imghost_operator.platform import ObjectRef

FREE_WRITES = 25  # before the pauses begin: what people and deployments change is restored immediately
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0  # no longer: what is open by an edit must not stay open
QUIET_SECONDS = 600.0  # of an object that nothing changes, after which it is new again


@dataclass(slots=True)
class _Writes:
    stamp: str
    count: int
    last: float


class Contention:
    """How often each object was written with the same content. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._writes: dict[ObjectRef, _Writes] = {}

    def pause(self, ref: ObjectRef, stamp: str) -> float:
        """Seconds before an object may be written again; `stamp` stands for its desired content."""
        known = self._writes.get(ref)
        if known is None or known.stamp != stamp or known.count <= FREE_WRITES:
            return 0.0
        doublings = min(known.count - FREE_WRITES - 1, 16)
        pause = min(FIRST_PAUSE_SECONDS * (1 << doublings), LONGEST_PAUSE_SECONDS)
        return max(0.0, known.last + pause - self._clock())

    def note(self, ref: ObjectRef, stamp: str) -> None:
        """An object was written."""
        now, known = self._clock(), self._writes.get(ref)
        is_new = known is None or known.stamp != stamp or now - known.last > QUIET_SECONDS
        self._writes[ref] = _Writes(stamp, 1 if is_new or known is None else known.count + 1, now)

    def forget(self, namespace: str) -> None:
        """Discard what is known of a deleted tenant's objects."""
        for ref in [ref for ref in self._writes if namespace in {ref.namespace, ref.name}]:
            del self._writes[ref]
