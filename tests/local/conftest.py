"""A state folder, and the local platform in it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from imghost_local.state import State
from support.folders import new_state, shared_folder
from support.local_platform import LocalPlatformHarness


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that another user may enter, unlike pytest's, for PostgreSQL does not run as root."""
    with shared_folder("local") as path:
        yield path


@pytest.fixture
def state(folder: Path) -> State:
    """A new state folder."""
    return new_state(folder)


@pytest.fixture
async def local(state: State) -> AsyncIterator[LocalPlatformHarness]:
    """A platform without anything in it."""
    harness = LocalPlatformHarness(state)
    yield harness
    await harness.platform.close()
