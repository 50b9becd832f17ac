"""The report of a running `up`: one document in the state folder, which `status`, `--detach` and the screen read."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict, cast

from imghost_local.documents import Documents

_NAME = "status.json"
_POLL_SECONDS = 0.25
_MAX_LOG_BYTES = 20 * 1024 * 1024


class Report(TypedDict, total=False):
    """`phase` is what is being done now, for people; `problem` why the last edit was refused, until one is valid."""

    pid: int
    manifest: str
    phase: str
    problem: str
    ready: bool
    postgres: dict[str, Any]
    tenants: list[dict[str, Any]]


def read(documents: Documents, pid: int | None) -> Report:
    """The last report of the `up` with this process id; empty before its first."""
    found = cast("Report", documents.read(_NAME))
    return found if pid is not None and found.get("pid") == pid else Report()


def write(documents: Documents, report: Report) -> None:
    """Replace the report."""
    documents.write(_NAME, dict(report))


async def keep_written(documents: Documents, logs: Path, make: Callable[[], Report]) -> None:
    """Write the report whenever it changes and keep the logs small, until cancelled."""
    before: Report = {}
    while True:
        if (now := make()) != before:
            write(documents, now)
            before = now
        _truncate_logs(logs)
        await asyncio.sleep(_POLL_SECONDS)


def _truncate_logs(folder: Path) -> None:
    """Empty logs that have grown too large; their writers continue at the beginning, since they append."""
    for path in folder.rglob("*.log"):
        with suppress(FileNotFoundError):
            if path.stat().st_size > _MAX_LOG_BYTES:
                path.open("w").close()
