"""JSON documents in a folder: private files that are replaced in one step."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imghost_local.errors import UserError


class Documents:
    """The documents below `root`, by their paths, for example `ports.json`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str) -> dict[str, Any]:
        """The document `name`; empty when there is none."""
        try:
            document = json.loads((self.root / name).read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise UserError(f"{self.root / name} is damaged ({error}). Remove it, or run `imghost reset`.") from error
        return dict(document)

    def write(self, name: str, document: dict[str, Any]) -> None:
        """Replace the document `name`, 0600."""
        self.write_text(name, json.dumps(document, indent=1, sort_keys=True))

    def write_text(self, name: str, text: str) -> None:
        """Replace a file, 0600, so that a reader sees the old or the new one and never a part."""
        path = self.root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = path.with_name(path.name + ".new")
        with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:  # noqa: PTH123 - mode
            out.write(text)
        scratch.replace(path)

    def remove(self, name: str) -> None:
        """Delete the document `name`; does nothing when there is none."""
        (self.root / name).unlink(missing_ok=True)

    def names(self, folder: str) -> Iterator[str]:
        """The names of all documents below `folder`, sorted."""
        for path in sorted((self.root / folder).rglob("*.json")):
            yield str(path.relative_to(self.root))
