"""View events are collected in memory and written in batches, so that delivery never waits for the database."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from imghost_core import logs
from imghost_core.contract.delivery import ViewEvent
from imghost_core.errors import Unavailable
from imghost_imaging.metrics import ImagingMetrics

_BATCH = 1000
_log = logs.get("imghost.views")


class ViewBuffer:
    """Holds at most `capacity` view events and writes them every `interval` seconds.

    While the database is unreachable events wait here; when the buffer is full the oldest are dropped, and counted in
    a metric. A killed process loses at most one interval of events: statistics, never image data.
    """

    def __init__(
        self,
        write: Callable[[Sequence[ViewEvent]], Awaitable[None]],
        metrics: ImagingMetrics,
        *,
        capacity: int = 20_000,
        interval: float = 1.0,
    ) -> None:
        self._write, self._metrics, self._interval = write, metrics, interval
        self._waiting: deque[ViewEvent] = deque()
        self._capacity = capacity
        self._stopping = asyncio.Event()

    def record(self, event: ViewEvent) -> None:
        """Write `event` with the next batch."""
        self._waiting.append(event)
        self._trim()

    async def run(self) -> None:
        """Write waiting events every interval, and a last time after `stop`."""
        stopping = False
        while not stopping:
            with suppress(TimeoutError):
                stopping = await asyncio.wait_for(self._stopping.wait(), self._interval)
            await self.flush()

    def stop(self) -> None:
        """Let `run` end. Do not cancel it instead: that could lose a batch that is being written."""
        self._stopping.set()

    async def flush(self) -> None:
        """Write all waiting events; keep them when the database is unreachable."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            try:
                await self._write(batch)
            except Unavailable:
                self._keep(batch)
                return
            except Exception:  # noqa: BLE001 - a batch that the database rejects must not end this task
                self._metrics.views_dropped.inc(len(batch))
                _log.exception("view events rejected by the database", events=len(batch))
            else:
                self._metrics.views_written.inc(len(batch))

    def _keep(self, batch: list[ViewEvent]) -> None:
        self._waiting.extendleft(reversed(batch))
        self._trim()

    def _trim(self) -> None:
        while len(self._waiting) > self._capacity:
            self._waiting.popleft()
            self._metrics.views_dropped.inc()
