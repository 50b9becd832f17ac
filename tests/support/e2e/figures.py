"""What the scenarios measured, for the table at the end of the run. No test asserts on any of it."""

import statistics
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic


@dataclass
class Figures:
    """Seconds by what took them, and remarks in the order they were made."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    remarks: list[str] = field(default_factory=list)

    def add(self, what: str, *seconds: float) -> None:
        """Remember how long something took."""
        self.seconds[what] += seconds

    @contextmanager
    def measure(self, what: str) -> Iterator[None]:
        """Remember how long the block took, if it succeeded."""
        began = monotonic()
        yield
        self.add(what, monotonic() - began)

    def say(self, remark: str) -> None:
        """Remember a sentence."""
        self.remarks.append(remark)

    def lines(self) -> Iterator[str]:
        """The table: what, how often, median, 95th percentile, longest; then the remarks."""
        if self.seconds:
            yield f"{'':52} {'n':>4} {'p50':>8} {'p95':>8} {'max':>8}"
        for what, values in self.seconds.items():
            figures = " ".join(
                f"{_text(value):>8}" for value in (statistics.median(values), percentile(values, 95), max(values))
            )
            yield f"{what:52} {len(values):>4} {figures}"
        yield from self.remarks


def percentile(values: list[float], percent: int) -> float:
    """The nearest-rank percentile: the smallest value that `percent` of all are not above."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * percent // 100) - 1)]


def _text(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
