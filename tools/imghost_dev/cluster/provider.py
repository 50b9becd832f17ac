"""The interface of every cluster provider."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from imghost_dev.images import Image, Images

Say = Callable[[str], None]


class ClusterError(Exception):
    """A cluster cannot be created or used; the text says why and what to do."""


class Provider(Protocol):
    """One cluster of this checkout."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; the file exists while the cluster runs."""

    @property
    def state(self) -> Path:
        """A folder for what belongs to the cluster; `down` removes it."""

    @property
    def address(self) -> str:
        """Where this machine reaches the cluster's node ports."""

    def up(self, times: "Times") -> None:
        """Start the cluster and wait until it is ready; does nothing when it is. Raises ClusterError."""

    def down(self) -> None:
        """Remove the cluster with every trace, also when it is half removed or was never there."""

    def is_up(self) -> bool:
        """Whether the cluster runs and responds."""

    def images(self, times: "Times") -> Images:
        """Makes images for this cluster."""

    def load(self, images: Sequence[Image]) -> None:
        """Load images into the nodes; those that are loaded already cost nothing."""


@dataclass
class Times:
    """How long each phase took, printed as it happens."""

    say: Say = print
    phases: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure what is done inside; a phase that fails is printed too."""
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            self.phases.append((name, took))
            self.say(f"{took:6.1f} s  {name}")

    def total(self) -> float:
        """Seconds of all phases."""
        return sum(took for _, took in self.phases)


def wait_until(ready: Callable[[], bool], within: float, why: Callable[[], str], every: float = 0.05) -> None:
    """Poll until it holds; raises ClusterError with the reason after `within` seconds."""
    deadline = time.monotonic() + within
    while not ready():
        if time.monotonic() > deadline:
            raise ClusterError(f"timed out after {within:.0f} s: {why()}")
        time.sleep(every)
