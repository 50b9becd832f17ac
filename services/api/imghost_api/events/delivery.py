"""Deliver to one subscriber."""

import asyncio
import random
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from imghost_api.db.engine import Database, Session
from imghost_api.db.system import all_workspaces
from imghost_api.events import queries
from imghost_api.events.event import Subscriber
from imghost_api.events.queries import Claimed, Next
from imghost_api.events.wakeup import Wakeup
from imghost_api.metrics import EventMetrics
from imghost_core import logs
from imghost_core.errors import ImghostError

_BATCH: Final = 100
_OUTAGE_SECONDS: Final = 2.0
_log = logs.get("imghost.events")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one attempt may take, how many there are, and the pauses between them, which double."""

    seconds: float = 30.0
    attempts: int = 16
    first_pause: float = 2.0
    longest_pause: float = 3600.0

    def pause(self, attempts: int) -> timedelta:
        """The pause after N failed attempts, give or take a quarter so that failures spread out."""
        pause = min(self.first_pause * 2**attempts, self.longest_pause)
        return timedelta(seconds=pause * random.uniform(0.75, 1.25))  # noqa: S311 - spread, not secrecy


class _Failed(Exception):
    """The handler's own failure, as opposed to one of the database around it."""

    def __init__(self, attempts: int, cause: BaseException) -> None:
        super().__init__()
        self.attempts, self.cause = attempts, cause


class Delivery:
    """Delivers to `subscriber`, several subjects in parallel.

    A slow handler delays its own subject, and others only once every lane has one.
    """

    def __init__(
        self,
        database: Database,
        metrics: EventMetrics,
        subscriber: Subscriber,
        *,
        concurrency: int,
        poll: float,
        patience: Patience,
    ) -> None:
        self._database, self._metrics, self._subscriber = database, metrics, subscriber
        self._concurrency, self._poll, self._patience = concurrency, poll, patience
        self._known = {kind: subscription.event.version for kind, subscription in subscriber.subscriptions.items()}
        self._next: deque[Next] = deque()
        self._looking = asyncio.Lock()
        self._progress = True
        self.wakeup = Wakeup()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as lanes:
            for _ in range(self._concurrency):
                lanes.create_task(self._run_lane())

    async def _run_lane(self) -> None:
        while True:
            try:
                await self.deliver(await self._take())
            except ImghostError as error:
                _log.warning("events wait", subscriber=self._subscriber.name, reason=error.code)
                await asyncio.sleep(_OUTAGE_SECONDS)

    async def _take(self) -> Next:
        async with self._looking:
            while not self._next:
                # Looking again is of use after a delivery, which lets the next of its subject follow. Without one,
                # all that is there is in the hands of other lanes or workers, or not due.
                if not self._progress:
                    await self.wakeup.wait(self._poll)
                self._progress = False
                async with all_workspaces(self._database) as session:
                    found = await queries.next_deliveries(session, self._subscriber.name, self._known, _BATCH)
                self._next.extend(found)
            return self._next.popleft()

    async def deliver(self, head: Next) -> None:
        """Deliver one event, unless another worker has it: the effect and the delivery are one transaction."""
        name, claimed = self._subscriber.name, None
        try:
            async with self._database.transaction(head.workspace_id) as session:
                claimed = await queries.claim(session, name, head.event_id)
                if claimed is None:
                    return
                await self._handle(session, claimed)
                await queries.mark_delivered(session, name, head.event_id)
        except _Failed as failure:
            await self._note(head, failure)
        except ImghostError:
            raise  # an outage, which is no attempt
        except Exception as error:
            if claimed is None:
                raise
            # What the handler left behind cannot be committed: a violated deferred constraint, a failed statement.
            await self._note(head, _Failed(claimed.attempts, error))
        else:
            self._metrics.deliveries.labels(name, "done").inc()
            self._metrics.latency.labels(name).observe((datetime.now(UTC) - claimed.published_at).total_seconds())
        self._progress = True
        self.wakeup.set()

    async def _handle(self, session: Session, claimed: Claimed) -> None:
        subscription = self._subscriber.subscriptions[claimed.type]
        token = logs.request_id.set(claimed.request_id or "")
        try:
            async with asyncio.timeout(self._patience.seconds):
                await subscription.handle(session, subscription.event.model_validate(claimed.payload))
                await session.flush()  # what it added is its own to answer for
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            raise _Failed(claimed.attempts, error) from error  # else this lane would end unnoticed
        except Exception as error:
            raise _Failed(claimed.attempts, error) from error
        finally:
            logs.request_id.reset(token)

    async def _note(self, head: Next, failure: _Failed) -> None:
        name, error = self._subscriber.name, failure.cause
        reason = error.code if isinstance(error, ImghostError) else type(error).__name__
        async with self._database.transaction(head.workspace_id) as session:
            dead = await queries.failed(
                session,
                name,
                head.event_id,
                error=reason,
                pause=self._patience.pause(failure.attempts),
                limit=self._patience.attempts,
            )
        self._metrics.deliveries.labels(name, "dead" if dead else "failed").inc()
        what = "event is a dead letter" if dead else "event not delivered"
        _log.warning(what, subscriber=name, event_id=head.event_id, reason=reason)
