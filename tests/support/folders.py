"""Temporary folders that every user may enter, unlike pytest's: PostgreSQL does not run as root."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imghost_local.state import State


@contextmanager
def shared_folder(name: str) -> Iterator[Path]:
    """An empty folder, deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"imghost-test-{name}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def new_state(folder: Path) -> State:
    """A new state folder of `imghost up` in `folder`."""
    state = State(folder / ".imghost")
    state.create()
    return state
