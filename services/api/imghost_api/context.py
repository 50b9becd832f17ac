"""What this process holds open, from start to stop."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from imghost_api.api_keys.service import Digest, digest_under
from imghost_api.concurrency import Slots
from imghost_api.crypto.passwords import Passwords
from imghost_api.crypto.tokens import Tokens
from imghost_api.db.engine import Database
from imghost_api.images.urls import UrlBuilder
from imghost_api.imaging_client import Imaging
from imghost_api.jobs import Jobs
from imghost_api.metrics import ApiMetrics
from imghost_api.settings import ApiSettings
from imghost_core.objects.base import ObjectStore
from imghost_core.objects.open import open_store


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything a request may need. `clock` tells the time in UTC."""

    settings: ApiSettings
    metrics: ApiMetrics
    database: Database
    store: ObjectStore
    imaging: Imaging
    jobs: Jobs
    tokens: Tokens
    passwords: Passwords
    digest: Digest
    urls: UrlBuilder
    uploads: Slots
    clock: Callable[[], datetime]


@asynccontextmanager
async def opened(settings: ApiSettings, metrics: ApiMetrics) -> AsyncIterator[Resources]:
    """Open everything; nothing is contacted yet. Closed in the reverse order."""
    async with AsyncExitStack() as stack:
        database, store = Database.open(settings), open_store(settings)
        imaging, passwords = Imaging(settings), Passwords()
        stack.push_async_callback(database.close)
        stack.push_async_callback(store.close)
        stack.push_async_callback(imaging.close)
        stack.callback(passwords.close)
        yield Resources(
            settings=settings,
            metrics=metrics,
            database=database,
            store=store,
            imaging=imaging,
            jobs=Jobs(settings, metrics),
            tokens=Tokens(settings),
            passwords=passwords,
            digest=digest_under(settings.api_key_pepper),
            urls=UrlBuilder(pictures=settings.picture_base_url, viewer=settings.view_server_url),
            uploads=Slots(settings.upload_concurrency),
            clock=lambda: datetime.now(UTC),
        )
