"""What the tests of the command line share: folders every user may enter, and `imghost` as a user runs it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from imghost_local.state import State
from support.commandline import Imghost


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that another user may enter, unlike pytest's, for PostgreSQL does not run as root."""
    path = Path(tempfile.mkdtemp(prefix="imghost-test-cli-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def state(folder: Path) -> State:
    """A new state folder."""
    made = State(folder / ".imghost")
    made.create()
    return made


@pytest.fixture
def imghost(folder: Path) -> Iterator[Imghost]:
    """`imghost` in an empty project; whatever it left running or wrote elsewhere is gone afterwards."""
    command = Imghost(folder)
    yield command
    command("reset", "--yes")


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """An HTTP client that goes nowhere but where it is told."""
    with httpx.Client(timeout=20, trust_env=False) as it:
        yield it
