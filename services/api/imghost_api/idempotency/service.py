"""Claim a key, then store the reply in the transaction of the effect, or release the claim."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from imghost_api.db.engine import Database, Session
from imghost_api.idempotency import queries
from imghost_api.idempotency.errors import IdempotencyKeyReused, RequestInProgress
from imghost_core.errors import HttpError


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of a key. `id` is this attempt's: once another attempt takes the key over, this one cannot finish."""

    workspace_id: UUID
    key: str
    id: UUID

    @asynccontextmanager
    async def keep_renewed(self, database: Database, every: float) -> AsyncIterator[None]:
        """Heartbeat: renews the claim every `every` seconds; a stale claim counts as abandoned."""
        renewing = asyncio.create_task(self._renew(database, every))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self, database: Database, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            # While the database is unavailable, the key cannot be taken over either.
            with suppress(HttpError):
                async with database.transaction(self.workspace_id) as session:
                    await queries.renew_claim(session, self.workspace_id, self.key, self.id)

    async def finish(self, session: Session, reply: dict[str, Any]) -> None:
        """Store the reply, in the transaction of the effect; raises `RequestInProgress` after a takeover."""
        if not await queries.store_reply(session, self.workspace_id, self.key, self.id, reply):
            raise RequestInProgress(1)

    async def release(self, database: Database) -> None:
        """Release the claim after a rejected request. Harmless if it fails: the claim can be taken over later."""
        async with database.transaction(self.workspace_id) as session:
            await queries.release_claim(session, self.workspace_id, self.key, self.id)


async def claim_key(
    database: Database, claim: Claim, *, request_hash: str, takeover: timedelta
) -> dict[str, Any] | None:
    """Claim a key in a transaction of its own; returns the stored reply if there is one.

    Raises `RequestInProgress` while the first request runs, `IdempotencyKeyReused` for another file.
    """
    async with database.transaction(claim.workspace_id) as session:
        if await queries.claim_key(
            session, claim.workspace_id, claim.key, request_hash=request_hash, claim=claim.id, takeover=takeover
        ):
            return None
        found = await queries.find_key(session, claim.workspace_id, claim.key)
    if found is None:  # released between the two statements
        raise RequestInProgress(1)
    if found.request_hash != request_hash:
        raise IdempotencyKeyReused
    if found.reply is None:
        raise RequestInProgress(2)
    return found.reply
