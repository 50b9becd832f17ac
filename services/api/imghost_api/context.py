"""What one process holds open, from start to stop."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from imghost_api.clock import Clock, utc_now
from imghost_api.concurrency import ConcurrencyLimit
from imghost_api.crypto.digests import Digest, keyed_digest
from imghost_api.crypto.passwords import Passwords
from imghost_api.crypto.tokens import Tokens
from imghost_api.db.engine import Database
from imghost_api.imaging_client import ImagingClient
from imghost_api.metrics import ApiMetrics
from imghost_api.settings import ApiSettings
from imghost_api.tarpit import Tarpit
from imghost_core.objects.base import ObjectStore
from imghost_core.objects.open import open_store


@dataclass(frozen=True, slots=True)
class AppContext:
    """The shared parts of one process. Routes take it apart: services get only the parts they use."""

    settings: ApiSettings
    metrics: ApiMetrics
    database: Database
    store: ObjectStore
    imaging: ImagingClient
    tokens: Tokens
    passwords: Passwords
    digest: Digest
    upload_slots: ConcurrencyLimit
    tarpit: Tarpit
    clock: Clock


@asynccontextmanager
async def open_context(settings: ApiSettings, metrics: ApiMetrics) -> AsyncIterator[AppContext]:
    """Open every part; nothing is contacted yet. Closed in the reverse order."""
    async with AsyncExitStack() as stack:
        database, store = Database.open(settings), open_store(settings)
        imaging, passwords = ImagingClient(settings), Passwords()
        stack.push_async_callback(database.close)
        stack.push_async_callback(store.close)
        stack.push_async_callback(imaging.close)
        stack.callback(passwords.close)
        yield AppContext(
            settings=settings,
            metrics=metrics,
            database=database,
            store=store,
            imaging=imaging,
            tokens=Tokens(settings),
            passwords=passwords,
            digest=keyed_digest(settings.api_key_pepper),
            upload_slots=ConcurrencyLimit(
                settings.upload_concurrency,
                per_source=settings.upload_concurrency_per_workspace,
                rejection="Too many uploads of this workspace, or of all, are running. Retry in a moment.",
            ),
            tarpit=Tarpit(settings.refusal_delay_seconds),
            clock=utc_now,
        )
