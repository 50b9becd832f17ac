"""The platform that the tests of its parts share."""

from collections.abc import AsyncIterator

import pytest

from imghost_cli.local.state import State
from support.local_platform import World


@pytest.fixture
async def world(state: State) -> AsyncIterator[World]:
    """A platform without anything in it."""
    it = World(state)
    yield it
    await it.platform.close()
