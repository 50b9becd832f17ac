"""A budget of memory: work reserves what it will need, and waits in order until that is free."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class MemoryBudget:
    """`total` bytes. Work that needs nearly all of it runs alone: what came later waits behind it."""

    def __init__(self, total: int) -> None:
        self.total = self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def reserved(self) -> int:
        """Bytes that are reserved now."""
        return self.total - self._free

    @asynccontextmanager
    async def reserve(self, size: int, *, until: float) -> AsyncIterator[None]:
        """Hold `size` bytes, at most `total`. Raises `TimeoutError` when they are not free at `until`, by the loop."""
        await self._acquire(size, until)
        try:
            yield
        finally:
            self._release(size)

    async def _acquire(self, size: int, until: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        self._admit()
        try:
            async with asyncio.timeout_at(until):
                await turn
        except BaseException:
            self._leave(size, turn)
            raise

    def _leave(self, size: int, turn: asyncio.Future[None]) -> None:
        """Give up a place in the queue, or what was reserved in the same moment."""
        if turn.done() and not turn.cancelled():
            self._release(size)
        else:
            with suppress(ValueError):  # `_admit` has dropped it
                self._waiting.remove((size, turn))
            self._admit()

    def _release(self, size: int) -> None:
        self._free += size
        self._admit()

    def _admit(self) -> None:
        """Admit those who are first. A turn that is cancelled stays in the queue until its task runs: it is dropped."""
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= size
                turn.set_result(None)
