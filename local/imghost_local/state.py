"""The state folder of an installation: its files, and the lock that allows one `up` at a time."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imghost_local import database_folder, pginstall
from imghost_local.documents import Documents
from imghost_local.errors import UserError


class AlreadyRunning(UserError):
    """Another `imghost up` holds this state folder."""


class State:
    """The folders of one installation, readable by its owner only."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.documents = Documents(self.root)
        self.logs, self.pods, self.store = self.root / "logs", self.root / "pods", self.root / "store"
        self._private = (self.logs, self.pods, self.store, self.root / "objects", self.root / "credentials")

    def create(self) -> None:
        """Create the folder, ignored by git: 0700; 0711 for root, whose PostgreSQL runs as another user."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700 if pginstall.account() is None else 0o711)
        for folder in self._private:
            folder.mkdir(mode=0o700, exist_ok=True)
        self.documents.write_text(".gitignore", "*\n")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder; raises `AlreadyRunning`. The kernel releases it even after `kill -9`."""
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
        """Delete everything: database, images, keys, logs."""
        shutil.rmtree(database_folder.find(self.documents), ignore_errors=True)
        if self.root.exists():
            shutil.rmtree(self.root)
