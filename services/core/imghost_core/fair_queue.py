"""Turns at scarce work: a bounded queue in which no source delays the others for long."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from imghost_core.contract.errors import Overloaded

_RETRY_SECONDS = 2


class FairQueue:
    """Lets `slots` run concurrently; the sources that wait take turns, however many requests each of them has.

    At most `per_source` of one source and `total` of all are in here, waiting or running; one more is rejected with
    `Overloaded`, whose detail is `rejection`.
    """

    def __init__(self, slots: int, *, per_source: int, total: int, rejection: str) -> None:
        self._free, self._per_source, self._total, self._rejection = slots, per_source, total, rejection
        self._present: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, source: str, *, pause: float = 0.0, within: float | None = None) -> AsyncIterator[None]:
        """Wait `pause` seconds and then for a slot, and hold it.

        Raises `Overloaded`: immediately when there are too many, or when there was no slot `within` that many seconds.
        """
        if self._present[source] >= self._per_source or self._present.total() >= self._total:
            raise Overloaded(self._rejection, retry_after=_RETRY_SECONDS)
        self._present[source] += 1
        try:
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(within):
                    await self._take_slot(source)
            except TimeoutError:
                raise Overloaded(self._rejection, retry_after=_RETRY_SECONDS) from None
            try:
                yield
            finally:
                self._pass_on()
        finally:
            self._present[source] -= 1
            self._present += Counter()  # drops the sources that have nothing left in here

    async def _take_slot(self, source: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(source, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the slot was passed on to us meanwhile
                self._pass_on()
            else:
                self._leave(source, turn)
            raise

    def _leave(self, source: str, turn: asyncio.Future[None]) -> None:
        """Give up a place in the line: it would cost its source a round."""
        with suppress(KeyError, ValueError):  # `_pass_on` has dropped it
            self._waiting[source].remove(turn)
            if not self._waiting[source]:
                del self._waiting[source]

    def _pass_on(self) -> None:
        """Give the slot to the next source, which then goes to the end of the line."""
        while self._waiting:
            source, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[source] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
