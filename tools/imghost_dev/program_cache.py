"""Programs that are found or built once for this machine: where they are kept, and one build of each at a time."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Say = Callable[[str], None]


class ProgramMissing(Exception):
    """A program is neither on this machine nor can it be built; the text says why and what to do."""


@dataclass(frozen=True)
class Programs:
    """One set of programs in one folder."""

    name: str
    version: str
    folder: Path
    origin: str

    def path(self, command: str) -> Path:
        """The path of a command; raises ProgramMissing when this set does not have it (envtest has no kubelet)."""
        path = self.folder / command
        if not path.exists():
            raise ProgramMissing(f"{command} is not in {self.folder}, which was found by {self.origin}")
        return path

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.origin})"


def find_or_build(name: str, version: str, build: Callable[[Path, Say], None], say: Say) -> Programs:
    """Our build of one version: the folder appears complete or not at all, and only one process builds it."""
    folder = programs_folder() / f"{name.lower()}-{version}"
    origin = "built, cached"
    with _lock(folder.with_name(f"{folder.name}.lock"), say):
        if not folder.exists():
            began = time.monotonic()
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
                ready = Path(scratch) / "ready"
                ready.mkdir()
                build(ready, say)
                ready.rename(folder)
            origin = f"built in {time.monotonic() - began:.0f} s"
    return Programs(name, version, folder, origin)


def cache() -> Path:
    """The folder outside the repository for what is built once, and for the state of clusters that run."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "imghost"


def programs_folder() -> Path:
    """The folder of our builds, their locks, and the logs of builds that failed."""
    folder = cache() / "programs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _lock(path: Path, say: Say) -> Iterator[None]:
    """Hold a file lock, which ends with the process that holds it."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that builds {path.stem}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
