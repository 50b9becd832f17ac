"""One run for concurrent requests that need the same result."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class SingleFlight(Generic[_T]):
    """Runs that are going on, by key."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[_T]] = {}

    async def run(self, key: str, make: Callable[[], Awaitable[_T]]) -> _T:
        """The result of `make`, or of a run with the same key that has not ended. A cancelled caller ends no run."""
        task = self._running.get(key)
        if task is None:
            task = asyncio.ensure_future(make())
            self._running[key] = task
            task.add_done_callback(lambda _done: self._running.pop(key, None))
        return await asyncio.shield(task)
