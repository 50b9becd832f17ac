"""Load of people who upload and people who look, at a bounded rate, for a bounded time and count."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import httpx

from support import sample_images
from support.e2e.client import Account, Client
from support.e2e.ledger import Ledger

DIFFERENT = 12
_FIRST_UPLOAD = 0.05  # seconds between looks whether there is something to view
UPLOADS_OF_ONE = 90
"""Uploads of one account: below what the free plan takes in a day."""


@dataclass
class Seen:
    """What the load met: seconds of each request that was served, and what failed in spite of its repetition."""

    uploads: list[float] = field(default_factory=list)
    views: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Load:
    """Uploads and views against one tenant until `ended` is set, or `limit` requests or `seconds` are over."""

    def __init__(self, client: Client, ledger: Ledger, limit: int = 4000, seconds: float = 240) -> None:
        self._client, self._ledger = client, ledger
        self._left, self._deadline = limit, monotonic() + seconds
        self._stopping = asyncio.Event()
        self.seen = Seen()

    @asynccontextmanager
    async def running(self, uploaders: int = 1, viewers: int = 2, pause: float = 0.05) -> AsyncIterator[Seen]:
        """The block runs under load; at its end every request that was sent has been answered or has failed."""
        urls: list[str] = []
        async with asyncio.TaskGroup() as group:
            for number in range(uploaders):
                group.create_task(self._upload(urls, number, pause))
            for _ in range(viewers):
                group.create_task(self._view(urls, pause))
            try:
                yield self.seen
            finally:
                self._stopping.set()

    async def _upload(self, urls: list[str], number: int, pause: float) -> None:
        for count in itertools.count():
            if not self._goes_on():
                return
            if count % UPLOADS_OF_ONE == 0:
                account = await self._client.register()
            await self._upload_one(urls, account, sample_images.photo(640, 480, seed=1 + (number + count) % DIFFERENT))
            await asyncio.sleep(pause)

    async def _upload_one(self, urls: list[str], account: Account, content: bytes) -> None:
        self._left -= 1
        began = monotonic()
        try:
            response = await self._client.upload(account, content)
        except httpx.TransportError as error:
            self.seen.failures.append(f"upload: {type(error).__name__} {error}")
            return
        if response.status_code != httpx.codes.CREATED:
            self.seen.failures.append(f"upload: {response.status_code} {response.text}")
            return
        image = response.json()["image"]
        self._ledger.write(account.key, content, image)
        self.seen.uploads.append(monotonic() - began)
        urls += [image["view_url"], image["thumbnail"]]

    async def _view(self, urls: list[str], pause: float) -> None:
        chosen = random.Random(len(urls))
        while self._goes_on():
            if urls:
                await self._view_one(chosen.choice(urls))
                await asyncio.sleep(pause)
            else:
                await asyncio.sleep(_FIRST_UPLOAD)

    async def _view_one(self, url: str) -> None:
        self._left -= 1
        began = monotonic()
        try:
            response = await self._client.view(url)
        except httpx.TransportError as error:
            self.seen.failures.append(f"view: {type(error).__name__} {error}")
            return
        if response.status_code != httpx.codes.OK:
            self.seen.failures.append(f"view: {response.status_code} {response.text[:300]}")
            return
        self.seen.views.append(monotonic() - began)

    def _goes_on(self) -> bool:
        return not self._stopping.is_set() and self._left > 0 and monotonic() < self._deadline
