"""The circuit breaker around a backend."""

import asyncio

import pytest

from imghost_operator.errors import BackendDown, BackendRefused
from imghost_operator.provision.circuit_breaker import CircuitBreaker
from support.eventually import eventually


class Flaky:
    """A backend that responds, refuses or is down, as set, and counts how often it is asked."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0

    async def check(self) -> None:
        self.asked += 1
        if self.error:
            raise self.error

    async def revoke(self, tenant: str) -> None:
        """Not part of these tests."""


DOWN = BackendDown("It does not respond.")


async def test_a_dead_backend_is_not_asked_by_every_tenant() -> None:
    """After one failure all fail immediately, without asking, until the pause is over; pauses grow up to 30 s."""
    now = [0.0]
    backend = Flaky()
    breaker = CircuitBreaker("database", "default", backend, clock=lambda: now[0])
    backend.error = DOWN
    pauses = []
    for _ in range(8):
        with pytest.raises(BackendDown):
            await breaker.call(lambda backend: backend.check())
        asked = backend.asked
        for _tenant in range(100):
            with pytest.raises(BackendDown):
                await breaker.call(lambda backend: backend.check())
        assert backend.asked == asked
        pauses.append(breaker.retry_in)
        now[0] += breaker.retry_in
    assert pauses[0] < 1.5
    assert 20 < pauses[-1] <= 36
    backend.error = None
    await breaker.call(lambda backend: backend.check())
    assert breaker.problem is None


async def test_what_hangs_ends_when_a_probe_fails() -> None:
    """An action that waits for a dead server fails together with the probe; a cancelled caller is just cancelled."""
    backend = Flaky()
    breaker = CircuitBreaker("database", "default", backend)
    ended: list[str] = []

    async def hang(_: Flaky) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("action")

    calls = [asyncio.create_task(breaker.call(hang)) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    calls[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls[0]
    backend.error = DOWN
    with pytest.raises(BackendDown):
        await breaker.probe()
    results = await asyncio.wait_for(asyncio.gather(*calls[1:], return_exceptions=True), 5)
    assert results == [DOWN, DOWN]
    assert ended == ["action"] * 3
    assert breaker.outages == 1


async def test_a_refusal_does_not_open_the_breaker() -> None:
    """That one tenant's step is refused says nothing about the others."""
    backend = Flaky()
    breaker = CircuitBreaker("store", "default", backend)
    backend.error = BackendRefused("No.")
    with pytest.raises(BackendRefused):
        await breaker.call(lambda backend: backend.check())
    assert breaker.problem is None


async def test_watching_reports_an_outage_and_the_return() -> None:
    """The probe loop notices by itself when a backend goes and when it comes back, and reports each once."""
    backend, changes = Flaky(), []
    breaker = CircuitBreaker("store", "default", backend)
    watching = asyncio.create_task(breaker.watch(lambda: changes.append(breaker.problem is None), every=0.02))
    await eventually(lambda: backend.asked >= 2)
    assert changes == []
    backend.error = DOWN
    await eventually(lambda: changes == [False])
    backend.error = None
    await eventually(lambda: changes == [False, True])
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_what_a_replaced_backend_still_answers_does_not_count() -> None:
    """The failure of the former login, which comes after it was replaced, neither opens the circuit nor ends a call."""
    asked, answer = asyncio.Event(), asyncio.Event()

    class Former(Flaky):
        async def check(self) -> None:
            asked.set()
            await answer.wait()
            raise DOWN

    breaker: CircuitBreaker[Flaky] = CircuitBreaker("database", "default", Former())
    probing = asyncio.create_task(breaker.probe())
    await asked.wait()
    breaker.replace(Flaky())
    outages = breaker.outages
    answer.set()
    with pytest.raises(BackendDown):
        await probing
    assert (breaker.problem, breaker.outages) == (None, outages)
