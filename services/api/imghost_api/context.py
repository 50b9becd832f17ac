"""What one process holds open, from start to stop."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from imghost_api.clock import Clock, utc_now
from imghost_api.crypto.digests import Digest, keyed_digest
from imghost_api.crypto.passwords import Passwords
from imghost_api.crypto.tokens import Tokens
from imghost_api.db.engine import Database
from imghost_api.imaging_client import ImagingClient
from imghost_api.metrics import ApiMetrics
from imghost_api.settings import ApiSettings
from imghost_api.spool_space import SpoolLimits, SpoolSpace
from imghost_api.tarpit import Tarpit
from imghost_core.fair_queue import FairQueue
from imghost_core.objects.base import ObjectStore
from imghost_core.objects.open import open_store

_AUTHENTICATIONS: Final = 2048  # that wait or run; as many seconds of work as a client would wait for


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
    spool: SpoolSpace
    authentications: FairQueue
    upload_slots: FairQueue
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
            spool=SpoolSpace(
                SpoolLimits(
                    settings.uploads,
                    settings.uploads_per_address,
                    settings.upload_concurrency_per_workspace,
                    settings.spool_bytes,
                )
            ),
            authentications=FairQueue(
                max(1, settings.database_pool_size // 2),
                per_source=_AUTHENTICATIONS // 4,
                total=_AUTHENTICATIONS,
                rejection="Too many requests, in all or from your network address, wait to be authenticated. "
                "Retry in a moment.",
            ),
            upload_slots=FairQueue(
                settings.upload_concurrency,
                per_source=settings.upload_concurrency_per_workspace,
                total=settings.uploads,
                rejection="Too many uploads of this workspace, or of all, wait to be processed. Retry in a moment.",
            ),
            tarpit=Tarpit(settings.refusal_delay_seconds),
            clock=utc_now,
        )
