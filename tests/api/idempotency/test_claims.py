"""Claims of idempotency keys: who has a key, for how long, and what is stored with it."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from imghost_api.db.engine import Database
from imghost_api.idempotency import queries
from imghost_api.idempotency.errors import IdempotencyKeyReused, RequestInProgress
from imghost_api.idempotency.service import Claim, claim_key
from imghost_api.worker_context import WorkerContext
from imghost_core.ids import uuid7
from imghost_core.settings import DatabaseSettings
from support.api import TenantDatabase, register
from support.eventually import eventually
from support.forwarder import Forwarder
from support.jobs import periodic_jobs

TAKEOVER = timedelta(minutes=1)
REPLY = {"image": "1"}


@dataclass(frozen=True)
class Keys:
    """The keys of one workspace."""

    database: Database
    tenant: TenantDatabase
    workspace: UUID

    def new(self, key: str = "key") -> Claim:
        return Claim(self.workspace, key, uuid7())

    async def claim(self, claim: Claim, request_hash: str = "hash") -> dict[str, Any] | None:
        return await claim_key(self.database, claim, request_hash=request_hash, takeover=TAKEOVER)

    async def finish(self, claim: Claim) -> None:
        async with self.database.transaction(self.workspace) as session:
            await claim.finish(session, REPLY)

    async def renew(self, claim: Claim) -> None:
        async with self.database.transaction(self.workspace) as session:
            await queries.renew_claim(session, claim.workspace_id, claim.key, claim.id)

    def age(self, column: str, by: str, key: str = "key") -> None:
        """Move a time of the key into the past."""
        change = f"UPDATE idempotency_keys SET {column} = now() - %s::interval WHERE workspace_id = %s AND key = %s"
        self.tenant.query(change, by, self.workspace, key)

    def ages(self) -> dict[str, float]:
        """Seconds since each key was claimed or renewed."""
        rows = "SELECT key, extract(epoch FROM now() - claimed_at) FROM idempotency_keys WHERE workspace_id = %s"
        return {key: float(age) for key, age in self.tenant.query(rows, self.workspace)}


@pytest.fixture
async def keys(api: httpx.AsyncClient, tenant: TenantDatabase) -> Keys:
    person = await register(api)
    ((workspace,),) = tenant.query("SELECT workspace_id FROM memberships WHERE user_id = %s", person.id)
    return Keys(api.public.state.context.database, tenant, workspace)  # type: ignore[attr-defined]


async def test_only_a_claim_without_a_reply_is_released(keys: Keys) -> None:
    """A claim that is given up frees its own key once; after its reply is stored, neither it nor another frees it."""
    own, other, further = keys.new(), keys.new(), keys.new("further")
    assert await keys.claim(own) is await keys.claim(further) is None
    await other.release(keys.database)
    with pytest.raises(RequestInProgress, match=r"still running\. Retry the same request") as refused:
        await keys.claim(other)
    assert refused.value.retry_after == 2
    await own.release(keys.database)
    assert keys.ages().keys() == {"further"}
    assert await keys.claim(other) is None
    await keys.finish(other)
    await other.release(keys.database)
    assert await keys.claim(own) == REPLY


async def test_a_claim_belongs_to_one_request(keys: Keys) -> None:
    """Another request with the key is refused for as long as the key is claimed, with and without a reply."""
    own = keys.new()
    assert await keys.claim(own) is None
    with pytest.raises(IdempotencyKeyReused, match=r"another file\. Use a new key"):
        await keys.claim(keys.new(), "another")
    await keys.finish(own)
    with pytest.raises(IdempotencyKeyReused):
        await keys.claim(keys.new(), "another")


async def test_a_silent_claim_is_taken_over(keys: Keys) -> None:
    """A claim that was renewed within the takeover time is kept, an older one can be taken over: its holder then
    neither finishes, nor renews, nor releases what is no longer its own.
    """
    own, other = keys.new(), keys.new()
    assert await keys.claim(own) is None
    keys.age("claimed_at", "50 s")
    with pytest.raises(RequestInProgress):
        await keys.claim(other)
    keys.age("claimed_at", "70 s")
    assert await keys.claim(other, "another") is None
    assert keys.ages()["key"] < 40
    with pytest.raises(RequestInProgress) as refused:
        await keys.finish(own)
    assert refused.value.retry_after == 1
    await own.release(keys.database)
    keys.age("claimed_at", "50 s")
    await keys.renew(own)
    assert keys.ages()["key"] >= 50
    await keys.finish(other)
    assert await keys.claim(own, "another") == REPLY


async def test_a_claim_is_renewed_until_it_has_its_reply(keys: Keys) -> None:
    """A renewal resets the age of its own key; once the reply is stored nothing changes it."""
    own = keys.new()
    further = replace(own, key="further")
    assert await keys.claim(own) is await keys.claim(further) is None
    keys.age("claimed_at", "50 s")
    keys.age("claimed_at", "50 s", "further")
    await keys.renew(own)
    ages = keys.ages()
    assert ages["key"] < 40
    assert ages["further"] >= 50
    await keys.finish(own)
    keys.age("claimed_at", "50 s")
    await keys.renew(own)
    assert keys.ages()["key"] >= 50
    with pytest.raises(RequestInProgress):
        await keys.claim(replace(further, id=uuid7()))


async def test_a_claim_is_renewed_after_an_outage(keys: Keys) -> None:
    """A renewal that the database does not receive does not end the renewals: the next one counts."""
    own, port = keys.new(), keys.tenant.server.port
    assert await keys.claim(own) is None
    keys.age("claimed_at", "50 s")
    async with Forwarder(port) as way:
        url = keys.tenant.url("api").replace(f":{port}/", f":{way.port}/")
        database = Database.open(DatabaseSettings(database_url=SecretStr(url)))
        way.hold()
        async with own.keep_renewed(database, every=0.05):
            await way.held.wait()
            await way.down()
            assert keys.ages()["key"] >= 50
            await way.up()
            await eventually(lambda: keys.ages()["key"] < 40, why="the claim is renewed")
        await database.close()


async def test_a_key_is_kept_for_a_day(keys: Keys) -> None:
    """A reply is stored for 24 hours from the claim on; then another request may use the key, and gets no old reply."""
    own, other = keys.new(), keys.new()
    assert await keys.claim(own) is None
    kept = "SELECT expires_at - claimed_at FROM idempotency_keys WHERE workspace_id = %s"
    assert keys.tenant.query(kept, keys.workspace) == [(timedelta(hours=24),)]
    await keys.finish(own)
    keys.age("expires_at", "1 s")
    assert await keys.claim(other, "another") is None
    assert keys.tenant.query(kept, keys.workspace) == [(timedelta(hours=24),)]
    with pytest.raises(RequestInProgress):
        await keys.claim(keys.new(), "another")


async def test_expired_keys_are_deleted(keys: Keys, worker_context: WorkerContext) -> None:
    """A worker's job deletes the keys whose day is over, with their replies; others stay."""
    for key in ("old", "new"):
        assert await keys.claim(keys.new(key)) is None
    keys.age("expires_at", "1 s", "old")
    await periodic_jobs(worker_context)["delete_expired_idempotency_keys"].run()
    assert keys.ages().keys() == {"new"}
