"""The manifest that an installation runs: read once, and again after every edit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from imghost_core import logs
from imghost_local import manifests
from imghost_local.errors import InvalidInput
from imghost_operator.platform import Object

_POLL_SECONDS = 0.25
_log = logs.get("imghost.local")


class ManifestFile:
    """`tenants` are those of the last valid version; `problem` says why a later edit was refused."""

    def __init__(self, path: Path, stored: Callable[[], Mapping[str, Object]]) -> None:
        """`stored` gives the tenants that exist, by name: an edit is validated against them. Raises `InvalidInput`."""
        self.path, self._stored = path, stored
        self.tenants, self.problem = manifests.read(path, stored()), ""

    @property
    def names(self) -> list[str]:
        """The names of the tenants, in the order of the file."""
        return [tenant["metadata"]["name"] for tenant in self.tenants]

    async def watch(self, on_edit: Callable[[set[str]], Awaitable[None]]) -> None:
        """Call `on_edit` with the names of removed tenants after each valid edit, until cancelled."""
        seen = _fingerprint(self.path)
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            if (now := _fingerprint(self.path)) != seen:
                seen, before = now, set(self.names)
                if self._read():
                    await on_edit(before - set(self.names))

    def _read(self) -> bool:
        try:
            self.tenants, self.problem = manifests.read(self.path, self._stored()), ""
        except InvalidInput as refusal:
            self.problem = str(refusal)
            _log.error("the edit was refused, everything stays as it was", detail=self.problem)
            return False
        _log.info("the manifest was edited", tenants=self.names)
        return True


def _fingerprint(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)
