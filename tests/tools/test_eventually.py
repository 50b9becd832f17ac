"""Waiting in tests: what counts as true, and what a reader learns when it never comes."""

import asyncio

import pytest

from support.eventually import eventually


async def test_it_returns_what_the_check_found() -> None:
    """The first truthy result ends the wait and is returned."""
    answers = iter([None, 0, "found"])
    assert await eventually(lambda: next(answers), every=0) == "found"


async def test_it_reports_what_was_last_seen() -> None:
    """A wait that times out reports why it waited, how long, and the last result."""
    with pytest.raises(AssertionError, match=r"no image: waited 0\.05 s, last seen \[\]"):
        await eventually(list, within=0.05, why="no image", every=0.01)


async def test_it_reports_which_assertion_failed_last() -> None:
    """The text of an assertion inside the check is what was last seen."""

    async def check() -> None:
        raise AssertionError("1 pod of 2")

    with pytest.raises(AssertionError, match="last seen AssertionError: 1 pod of 2"):
        await eventually(check, within=0.05, every=0.01)


async def test_a_check_declared_to_return_nothing_holds_when_its_assertions_pass() -> None:
    """`-> None` means that the check speaks by its assertions alone."""
    seen: list[int] = []

    def check() -> None:
        seen.append(1)
        assert len(seen) == 3

    await eventually(check, every=0)
    assert len(seen) == 3


async def test_a_check_that_returns_none_is_repeated() -> None:
    """None from a check that is not declared to return nothing never passes for success."""
    with pytest.raises(AssertionError, match="last seen None"):
        await eventually(lambda: None, within=0.05, every=0.01)


async def test_a_hanging_check_ends_with_the_deadline() -> None:
    """A check that never returns does not outlast the deadline."""
    with pytest.raises(AssertionError, match="the first check did not return"):
        await eventually(asyncio.Event().wait, within=0.05)


async def test_other_errors_end_the_wait_immediately() -> None:
    """An error that was not announced is a failure, not a reason to wait; an announced one is waited out."""

    def check() -> bool:
        raise ConnectionRefusedError("refused")

    with pytest.raises(ConnectionRefusedError):
        await eventually(check)
    with pytest.raises(AssertionError, match="last seen ConnectionRefusedError: refused"):
        await eventually(check, within=0.05, every=0.01, ignoring=(ConnectionError,))
