"""Waiting for something to become true, without guessing how long it takes."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    check: Callable[[], Awaitable[T]],
    within: float = ...,
    why: str = ...,
    every: float = ...,
    ignoring: tuple[type[Exception], ...] = ...,
) -> T: ...
@overload
async def eventually(
    check: Callable[[], T],
    within: float = ...,
    why: str = ...,
    every: float = ...,
    ignoring: tuple[type[Exception], ...] = ...,
) -> T: ...
async def eventually(
    check: Callable[[], Any],
    within: float = 10,
    why: str = "",
    every: float = 0.05,
    ignoring: tuple[type[Exception], ...] = (),
) -> Any:
    """Call `check` every `every` seconds until it holds, and return what it returned.

    A check holds when it returns something truthy, or, when it is annotated `-> None`, when its assertions pass. None
    from any other check means "not yet", since most of our doors return it for "absent". `ignoring` names exceptions
    that mean "not yet" too, for example connections refused while a server starts; others end the wait immediately.

    Raises AssertionError after `within` seconds, saying `why` we waited and what was last seen.
    """
    not_yet: tuple[type[Exception], ...] = (AssertionError, *ignoring)
    asserts = inspect.signature(check).return_annotation in {None, "None"}
    last = "no answer: the first check did not return"
    try:
        async with asyncio.timeout(within) as limit:
            while True:
                try:
                    result = check()
                    seen = await result if inspect.isawaitable(result) else result
                except not_yet as error:
                    last = f"{type(error).__name__}: {error}"
                else:
                    if seen or asserts:
                        return seen
                    last = repr(seen)
                await asyncio.sleep(every)
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(f"{why or 'the check did not hold'}: waited {within:g} s, last seen {last}") from None
