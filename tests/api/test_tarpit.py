"""Refusals that are not sent immediately."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from imghost_api.tarpit import Tarpit
from imghost_core.contract.errors import Overloaded
from imghost_core.errors import Forbidden, HttpError, TooManyRequests

HOUR = 3600.0


async def refuse(tarpit: Tarpit, error: HttpError) -> None:
    """Return when the error has left the block."""
    with pytest.raises(type(error)):
        async with tarpit.slow_refusals():
            raise error


@contextmanager
def held(tarpit: Tarpit, *errors: HttpError) -> Iterator[list[asyncio.Task[None]]]:
    """Refusals in tasks, which are cancelled at the end."""
    tasks = [asyncio.create_task(refuse(tarpit, error)) for error in errors]
    yield tasks
    for task in tasks:
        task.cancel()


async def test_refusals_for_too_much_are_held() -> None:
    """Those that a client should answer with patience are held for the time that is set; others are not."""
    with held(Tarpit(HOUR), TooManyRequests("later"), Overloaded("later"), Forbidden("never")) as tasks:
        await asyncio.wait_for(tasks[2], 10)
        assert [task.done() for task in tasks[:2]] == [False, False]
    await asyncio.wait_for(refuse(Tarpit(0.01), TooManyRequests("later")), 10)


async def test_a_bounded_number_is_held() -> None:
    """What would be too many to hold is refused immediately; when clients hang up there are places again."""
    tarpit = Tarpit(HOUR)
    with held(tarpit, *(TooManyRequests("later") for _ in range(256))) as tasks:
        await asyncio.sleep(0)
        await asyncio.wait_for(refuse(tarpit, TooManyRequests("later")), 10)
        assert not any(task.done() for task in tasks)
    await asyncio.gather(*tasks, return_exceptions=True)
    with held(tarpit, TooManyRequests("later")) as (again,):
        await asyncio.sleep(0)
        assert not again.done()
