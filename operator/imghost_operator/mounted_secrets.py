"""Mounted Secrets that change while the operator runs: the kubelet replaces their files, some time after the Secret."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from imghost_core import logs
from imghost_core.errors import ImghostError
from imghost_operator.metrics import Metrics
from imghost_operator.settings import OperatorSettings

POLL_SECONDS = 5.0

_log = logs.get("imghost.operator.secrets")


class Source(NamedTuple):
    """What is read from mounted Secrets: the credentials of one backend, or those of the image registries."""

    kind: Literal["database", "store", "registries"]
    name: str
    files: tuple[Path, ...]


class MountedSecrets:
    """The files that the settings name. To be made before they are read, so that no change in between is missed."""

    def __init__(self, settings: OperatorSettings, metrics: Metrics) -> None:
        self._known = {source: _digest(source.files) for source in _sources(settings)}
        self._metrics = metrics

    def refresh(self, use: Callable[[Source], None]) -> None:
        """Call `use` with every source whose files changed since they were looked at last.

        What it refuses, an empty file for one, is logged and changes nothing: the former credentials stay in use.
        """
        for source, known in self._known.items():
            self._known[source] = found = _digest(source.files)
            if found != known:
                self._use(source, use)

    async def watch(self, use: Callable[[Source], None], *, every: float = POLL_SECONDS) -> None:
        """Refresh until cancelled. The kubelet's files have no other sign of a change that all file systems give."""
        while True:
            self.refresh(use)
            await asyncio.sleep(every)

    def _use(self, source: Source, use: Callable[[Source], None]) -> None:
        outcome = "used"
        try:
            use(source)
        except (ImghostError, OSError, ValueError) as error:
            outcome = "refused"
            why = error.detail if isinstance(error, ImghostError) else str(error)
            _log.warning("changed Secret not used", kind=source.kind, backend=source.name, detail=why)
        else:
            _log.info("changed Secret used", kind=source.kind, backend=source.name)
        self._metrics.secret_reloads.labels(source.kind, source.name, outcome).inc()


def _sources(settings: OperatorSettings) -> Iterator[Source]:
    for name, instance in settings.databases.items():
        yield Source("database", name, instance.files)
    for name, store in settings.stores.items():
        yield Source("store", name, store.files)
    yield Source("registries", "", settings.pull_secret_files)


def _digest(files: Iterable[Path]) -> str:
    """A hash of the contents; that a file cannot be read counts as a content."""
    return hashlib.sha256(repr([_content(file) for file in files]).encode()).hexdigest()


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
