"""The platform that the tests of its parts share."""

from collections.abc import AsyncIterator

import pytest

from imghost_local.state import State
from support.local_platform import LocalPlatformHarness


@pytest.fixture
async def world(state: State) -> AsyncIterator[LocalPlatformHarness]:
    """A platform without anything in it."""
    it = LocalPlatformHarness(state)
    yield it
    await it.platform.close()
