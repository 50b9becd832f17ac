"""Which uploads were acknowledged: the truth that nothing may contradict afterwards.

A line is on the disk before its upload counts as acknowledged, so the ledger never knows less than its client.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One acknowledged upload: the image, who uploaded it, where it is seen, and what it must be."""

    id: str
    key: str
    url: str
    thumbnail: str
    sha256: str
    size: int


class Ledger:
    """An append-only file of entries."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def write(self, key: str, content: bytes, image: dict[str, Any]) -> None:
        """Remember that the upload of `content` was answered with `image`."""
        sha256 = hashlib.sha256(content).hexdigest()
        entry = Entry(image["id"], key, image["view_url"], image["thumbnail"], sha256, len(content))
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(entry)) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def __iter__(self) -> Iterator[Entry]:
        return (Entry(**json.loads(line)) for line in self._path.read_text().splitlines())

    def __len__(self) -> int:
        return sum(1 for _ in self)
