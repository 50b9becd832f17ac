"""Views are counted in memory and written in batches, so that looking at an image never waits for the database."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from imghost_core import logs
from imghost_core.errors import Unavailable
from imghost_imaging.catalog import View
from imghost_imaging.metrics import ImagingMetrics

_BATCH = 1000
_log = logs.get("imghost.views")


class ViewBuffer:
    """Holds at most `capacity` views and writes them every `interval` seconds.

    While the database is away views wait here; when the buffer is full the oldest are given up, and counted. A process
    that is killed loses at most one interval of views, which is statistics and not somebody's image.
    """

    def __init__(
        self,
        write: Callable[[Sequence[View]], Awaitable[None]],
        metrics: ImagingMetrics,
        *,
        capacity: int = 20_000,
        interval: float = 1.0,
    ) -> None:
        self._write, self._metrics, self._interval = write, metrics, interval
        self._waiting: deque[View] = deque()
        self._capacity = capacity
        self._stopping = asyncio.Event()

    def record(self, view: View) -> None:
        """Count `view` soon."""
        self._waiting.append(view)
        self._trim()

    async def run(self) -> None:
        """Write what waits, again and again, and a last time after `stop`."""
        stopping = False
        while not stopping:
            with suppress(TimeoutError):
                stopping = await asyncio.wait_for(self._stopping.wait(), self._interval)
            await self.flush()

    def stop(self) -> None:
        """Let `run` end; never cancel it, a batch may be on its way."""
        self._stopping.set()

    async def flush(self) -> None:
        """Write all that waits, or keep it when the database is away."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            try:
                await self._write(batch)
            except Unavailable:
                self._keep(batch)
                return
            except Exception:  # noqa: BLE001 - a batch the database refuses must not end the counting for good
                self._metrics.views_dropped.inc(len(batch))
                _log.exception("view events refused", events=len(batch))
            else:
                self._metrics.views_written.inc(len(batch))

    def _keep(self, batch: list[View]) -> None:
        self._waiting.extendleft(reversed(batch))
        self._trim()

    def _trim(self) -> None:
        while len(self._waiting) > self._capacity:
            self._waiting.popleft()
            self._metrics.views_dropped.inc()
