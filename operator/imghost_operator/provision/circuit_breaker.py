"""One circuit breaker per backend, for all tenants: a server that is down is probed rarely, not once per tenant."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Generic, TypeVar

from imghost_core import logs
from imghost_operator.errors import BackendDown, BackendRefused, Problem
from imghost_operator.provision.backends import Backend

_log = logs.get("imghost.operator.backend")
_T = TypeVar("_T")
_B = TypeVar("_B", bound=Backend)
PROBE_SECONDS = 5.0


def _delays() -> Iterator[float]:
    """1, 2, 4 … 30 s, each with jitter, so that tenants of a recovered server are spread over time."""
    delay = 1.0
    while True:
        yield delay * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
        delay = min(delay * 2, 30.0)


class CircuitBreaker(Generic[_B]):
    """A backend and whether it responds. `kind` is `database` or `store`, for messages and metrics."""

    def __init__(self, kind: str, name: str, backend: _B, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.kind, self.name, self.backend = kind, name, backend
        self.problem: Problem | None = None
        self.outages = 0
        """How often it was down; what was known of it before may no longer hold."""
        self._clock, self._retry_at, self._delays = clock, 0.0, _delays()
        self._running: set[asyncio.Future[Any]] = set()

    @property
    def retry_in(self) -> float:
        """Seconds until the next call is let through."""
        return max(0.0, self._retry_at - self._clock())

    def replace(self, backend: _B) -> None:
        """Use another login or another server from the next call on; what was known of the former may not hold."""
        self.backend = backend
        self.outages += 1
        self._close(backend)

    async def call(self, action: Callable[[_B], Awaitable[_T]]) -> _T:
        """Run `action` on the backend; while it is down, fail immediately with its last failure.

        So does an action that runs when a probe fails: what hangs there must not keep others waiting.
        """
        if self.problem and self.retry_in:
            raise self.problem
        backend = self.backend
        running = asyncio.ensure_future(action(backend))
        self._running.add(running)
        try:
            result = await running
        except BackendDown as error:
            self._open(error, backend)
            raise
        except asyncio.CancelledError:
            if self.problem and not _is_cancelled():
                raise self.problem from None
            raise
        finally:
            self._running.discard(running)
        self._close(backend)
        return result

    async def watch(self, changed: Callable[[], None], *, every: float = PROBE_SECONDS) -> None:
        """Probe until cancelled; `changed` is called whenever the backend goes down or comes back."""
        while True:
            before = self.problem is None
            with suppress(BackendDown, BackendRefused):
                await self.probe()
            if before != (self.problem is None):
                changed()
            await asyncio.sleep(every if self.problem is None else min(every, 1 + self.retry_in))

    async def probe(self) -> None:
        """Probe the backend now, whether the circuit is open or not; raises its failure."""
        backend = self.backend
        try:
            await backend.check()
        except (BackendDown, BackendRefused) as error:
            if self._open(error, backend):
                for running in self._running:
                    running.cancel()
            raise
        self._close(backend)

    def _open(self, error: Problem, backend: _B) -> bool:
        """Note a failure, unless it is that of a backend that was replaced meanwhile."""
        if backend is not self.backend:
            return False
        if self.problem is None:
            _log.warning("backend is down", kind=self.kind, backend=self.name, detail=error.detail)
            self.outages += 1
        self.problem, self._retry_at = error, self._clock() + next(self._delays)
        return True

    def _close(self, backend: _B) -> None:
        if backend is not self.backend:
            return
        if self.problem is not None:
            _log.info("backend is back", kind=self.kind, backend=self.name)
        self.problem, self._retry_at, self._delays = None, 0.0, _delays()


def _is_cancelled() -> bool:
    """Whether the caller itself is cancelled, and not only what it waits for."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0
