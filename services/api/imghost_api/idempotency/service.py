"""Claim a key, then finish it in the transaction of the effect, or release it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from imghost_api.db.engine import Database, Session
from imghost_api.idempotency import queries
from imghost_core.errors import Conflict, ImghostError, Unprocessable


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that is ours. `id` names this attempt: once another takes over, this one cannot finish."""

    workspace_id: UUID
    key: str
    id: UUID

    @asynccontextmanager
    async def renewed(self, database: Database, every: float) -> AsyncIterator[None]:
        """Say every so many seconds that we live, so that whoever says nothing for a moment has died."""
        renewing = asyncio.create_task(self._renew(database, every))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self, database: Database, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            # While the database is away nobody can take the key over either.
            with suppress(ImghostError):
                async with database.transaction(self.workspace_id) as session:
                    await queries.renew(session, self.workspace_id, self.key, self.id)

    async def finish(self, session: Session, reply: dict[str, Any]) -> None:
        """Keep the answer, in the transaction of the effect. Raises `Conflict` when another attempt took over."""
        if not await queries.finish(session, self.workspace_id, self.key, self.id, reply):
            raise _running(1)

    async def release(self, database: Database) -> None:
        """Give the key back after a refusal. Failing to is harmless: it can be taken over later."""
        async with database.transaction(self.workspace_id) as session:
            await queries.release(session, self.workspace_id, self.key, self.id)


async def claim(database: Database, wanted: Claim, *, request_hash: str, takeover: timedelta) -> dict[str, Any] | None:
    """Claim a key in a transaction of its own; returns the kept answer when there is one already.

    Raises `Conflict` while the first request runs, `Unprocessable` when the key was used for something else.
    """
    async with database.transaction(wanted.workspace_id) as session:
        if await queries.claim(
            session, wanted.workspace_id, wanted.key, request_hash=request_hash, claim=wanted.id, takeover=takeover
        ):
            return None
        held = await queries.held(session, wanted.workspace_id, wanted.key)
    if held is None:  # released between our two statements
        raise _running(1)
    if held.request_hash != request_hash:
        raise Unprocessable(
            "This Idempotency-Key was used for another file. Use a new key for a new file.",
            code="idempotency_key_reused",
        )
    if held.reply is None:
        raise _running(2)
    return held.reply


def _running(seconds: int) -> ImghostError:
    return Conflict(
        "An upload with this Idempotency-Key is still running. Send the same request again shortly.",
        code="idempotency_in_progress",
        retry_after=seconds,
    )
