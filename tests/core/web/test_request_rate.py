"""Requests per second, of each address and of all."""

import pytest

from imghost_core.errors import TooManyRequests
from imghost_core.web.request_rate import RequestRate


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admitted(rate: RequestRate, address: str, requests: int) -> int:
    """How many of that many requests are admitted."""
    count = 0
    for _ in range(requests):
        try:
            rate.admit(address)
        except TooManyRequests:
            continue
        count += 1
    return count


def test_an_address_has_a_burst_and_then_its_rate() -> None:
    """Ten seconds' worth are admitted without a pause, then as many as the rate; other addresses are not affected."""
    clock = Clock()
    rate = RequestRate(5, 1_000, clock)
    assert admitted(rate, "192.0.2.1", 200) == 50
    assert admitted(rate, "192.0.2.2", 10) == 10
    clock.now += 2
    assert admitted(rate, "192.0.2.1", 200) == 10
    with pytest.raises(TooManyRequests) as refused:
        rate.admit("192.0.2.1")
    assert refused.value.retry_after == 1


def test_all_addresses_together_have_a_limit() -> None:
    """Many addresses together are admitted no more than the limit of all."""
    rate = RequestRate(5, 10, Clock())
    assert sum(admitted(rate, f"192.0.2.{last}", 5) for last in range(50)) == 100


def test_it_remembers_a_bounded_number_of_addresses() -> None:
    """A flood from endless addresses needs no endless memory, and does not forget the limit of all."""
    clock = Clock()
    rate = RequestRate(1, 30_000, clock)
    for number in range(20_000):
        rate.admit(str(number))
    assert admitted(rate, "0", 100) == 10  # forgotten, so it has a whole burst again
    assert admitted(rate, "19999", 100) == 9
