"""The state folder: what a local installation remembers between starts, and the lock that keeps it to one `up`."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imghost_local import pginstall
from imghost_local.errors import UserError


class AlreadyRunning(UserError):
    """Another `imghost up` holds this state folder."""


class State:
    """Files below one folder, readable by its owner only. Documents are JSON, replaced in one step."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.logs, self.pods, self.store = self.root / "logs", self.root / "pods", self.root / "store"
        self._private = (self.logs, self.pods, self.store, self.root / "objects", self.root / "credentials")

    def create(self) -> None:
        """Make the folder (0700; 0711 for root, whose PostgreSQL runs as somebody else) and keep git away from it."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700 if pginstall.account() is None else 0o711)
        for folder in self._private:
            folder.mkdir(mode=0o700, exist_ok=True)
        self.write_text(".gitignore", "*\n")

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

    def postgres_folder(self) -> Path:
        """Where the database lies; chosen once, since for root it may have to be elsewhere."""
        chosen = self.read("postgres.json").get("folder")
        return self.root / chosen if chosen else pginstall.home(self.root / "postgres")

    def remember_postgres(self, folder: Path, port: int) -> None:
        """Note where the database lies, so that the state folder can be moved, and its port."""
        inside = folder.relative_to(self.root) if folder.is_relative_to(self.root) else folder
        self.write("postgres.json", {"folder": str(inside), "port": port})

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder; raises `AlreadyRunning`. The kernel lets go of it even after `kill -9`."""
        with open(os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:  # noqa: PTH123 - mode
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(
                    f"imghost already runs in {self.root} (process {file.read().strip()}). See `imghost status`, end "
                    "it with `imghost down`, or use another folder: --state FOLDER."
                ) from None
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            yield

    def holder(self) -> int | None:
        """Process id of the `up` that runs here, or None."""
        try:
            with (self.root / "lock").open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or 0)
        except FileNotFoundError:
            pass
        return None

    def is_ours(self) -> bool:
        """Whether this folder was made by `create`, and may be removed."""
        return (self.root / ".gitignore").exists() and self.logs.is_dir()

    def remove(self) -> None:
        """Delete everything: database, pictures, keys, logs."""
        shutil.rmtree(self.postgres_folder(), ignore_errors=True)
        if self.root.exists():
            shutil.rmtree(self.root)
