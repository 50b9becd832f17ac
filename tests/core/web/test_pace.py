"""The pure rules of the listeners: pace, shares of file descriptors, and what waits for readers."""

from dataclasses import dataclass

import pytest

from imghost_core.web.buffers import Buffers
from imghost_core.web.descriptors import share
from imghost_core.web.pace import Pace, Patience


def test_a_fast_beginning_is_no_credit() -> None:
    """However much came at first, waiting longer than the grace uses up the patience."""
    patience = Patience(Pace(bytes_per_second=100, grace_seconds=10))
    patience.restore(1_000_000)
    patience.spend(10.1)
    assert patience.left < 0


def test_bytes_make_up_for_waiting() -> None:
    """A peer at the required pace never uses up the patience, one a little slower does."""
    enough, too_slow = (Patience(Pace(bytes_per_second=100, grace_seconds=10)) for _ in range(2))
    for _ in range(1000):
        enough.spend(1)
        enough.restore(100)
        too_slow.spend(1)
        too_slow.restore(90)
    assert enough.left > 0
    assert too_slow.left < 0


@pytest.mark.parametrize(
    ("descriptors", "asked", "public", "ops"),
    [(65_536, 4096, 4096, 4096), (1024, 4096, 448, 64), (20_000, 50_000, 17_052, 2436), (256, 4096, 14, 2)],
)
def test_the_ops_listener_has_a_share(descriptors: int, asked: int, public: int, ops: int) -> None:
    """Connections of both listeners fit into the file descriptors, after a reserve for everything else."""
    assert share(descriptors, asked) == (public, ops)


@dataclass(frozen=True)
class Owner:
    address: str
    number: int


def test_the_address_with_most_gives_up_its_oldest_buffer() -> None:
    """Within the budget nothing goes; beyond it the largest share loses, not the last one; what is taken is free."""
    buffers: Buffers[Owner] = Buffers(100)
    many = [Owner("192.0.2.1", number) for number in range(3)]
    for owner in many:
        buffers.put(owner, 20)
    other = Owner("192.0.2.2", 1)
    buffers.put(other, 40)
    assert buffers.find_excess() is None
    buffers.put(other, 45)
    assert buffers.find_excess() == many[0]
    buffers.drop(many[0])
    assert buffers.find_excess() is None


def test_an_address_has_half_of_what_may_wait() -> None:
    """All buffers of an address count together, those of others do not, and what was taken or replaced does not."""
    buffers: Buffers[Owner] = Buffers(100)
    first, second = Owner("192.0.2.1", 1), Owner("192.0.2.1", 2)
    buffers.put(Owner("192.0.2.2", 1), 60)
    buffers.put(first, 70)
    buffers.put(first, 30)
    buffers.put(second, 20)
    assert not buffers.has_share("192.0.2.1")
    buffers.put(second, 21)
    assert buffers.has_share("192.0.2.1")
    assert buffers.has_share("192.0.2.2")
    buffers.drop(first)
    assert not buffers.has_share("192.0.2.1")
    buffers.drop(second)
    assert not buffers.has_share("192.0.2.1")
