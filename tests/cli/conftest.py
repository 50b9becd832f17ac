"""What the tests of the command line share: folders every user may enter, and `imghost` as a user runs it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from imghost_local.state import State
from support.commandline import Imghost
from support.folders import new_state, shared_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that another user may enter, unlike pytest's, for PostgreSQL does not run as root."""
    with shared_folder("cli") as path:
        yield path


@pytest.fixture
def state(folder: Path) -> State:
    """A new state folder."""
    return new_state(folder)


@pytest.fixture
def imghost(folder: Path) -> Iterator[Imghost]:
    """`imghost` in an empty project; whatever it left running or wrote elsewhere is removed afterwards."""
    command = Imghost(folder)
    yield command
    command("reset", "--yes")


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """An HTTP client that uses no proxy."""
    with httpx.Client(timeout=20, trust_env=False) as client:
        yield client
