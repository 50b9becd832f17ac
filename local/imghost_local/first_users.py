"""The first user of each tenant, made as soon as the tenant is ready."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from imghost_core import logs
from imghost_local import demo
from imghost_local.documents import Documents
from imghost_local.errors import UserError

_POLL_SECONDS, _RETRY_SECONDS = 0.25, 3.0
_log = logs.get("imghost.local")


class FirstUsers:
    """`known` has what `demo.ensure` returned, by tenant."""

    def __init__(
        self, documents: Documents, urls: Callable[[str], dict[str, str]], show: Callable[[str], None]
    ) -> None:
        """`urls` gives the base URLs of a tenant; `show` is called with each step."""
        self.known: dict[str, dict[str, Any]] = {}
        self._documents, self._urls, self._show = documents, urls, show

    async def run(self, ready: Callable[[], Iterable[str]]) -> None:
        """Make a user for each tenant of `ready` that has none, until cancelled."""
        while True:
            for name in ready():
                if name not in self.known:
                    await self._make(name)
            await asyncio.sleep(_POLL_SECONDS)

    async def _make(self, tenant: str) -> None:
        self._show(f"Uploading a first image to {tenant}")
        try:
            self.known[tenant] = await demo.ensure(self._documents, tenant, self._urls(tenant))
        except UserError as error:
            _log.warning("no first image yet", tenant=tenant, detail=str(error))
            self._show(str(error))
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            self._show("Running")
